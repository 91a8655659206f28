import { maskLength } from './keepalived-addresses.ts';
import { numberOf, text } from './keepalived-checks.ts';
import type { ImportReport } from './import-report.ts';
import type { Statement } from './statement.ts';
import { keywordOf, lastOf } from './statement.ts';

/*
 * What a virtual_server block says about the service itself, field by field. Words and defaults are those of
 * keepalived.conf(5).
 */

export type Protocol = 'tcp' | 'udp' | 'sctp';

/** A word of keepalived's that reads another way than one would guess: without it, the service is UDP. */
export function protocolOf(block: readonly Statement[]): Protocol | null {
  const word = (text(lastOf(block, 'protocol')) ?? 'udp').toLowerCase();
  return word === 'tcp' || word === 'udp' || word === 'sctp' ? word : null;
}

const FLAGS = ['flag-1', 'flag-2', 'flag-3', 'sh-port', 'sh-fallback', 'mh-port', 'mh-fallback'];

export const SERVICE_KEYWORDS: ReadonlySet<string> = new Set([
  ...['delay_loop', 'lb_algo', 'lvs_sched', 'lb_kind', 'lvs_method', 'protocol', 'ip_family', 'snmp_name'],
  ...['persistence_timeout', 'persistence_granularity', 'persistence_engine', 'ops', ...FLAGS, 'hashed'],
  ...['quorum', 'hysteresis', 'alpha', 'inhibit_on_failure', 'virtualhost', 'weight', 'warmup'],
  ...['connect_timeout', 'retry', 'nb_get_retry', 'delay_before_retry', 'real_server'],
  ...['sorry_server', 'sorry_server_lvs_method'],
]);

export const SERVICE_EXPLANATIONS = new Map([
  ['quorum_up', 'no programs are run; watch state/health in the store'],
  ['quorum_down', 'no programs are run; watch state/health in the store'],
  ['omega', 'nothing is told when the agent stops; its records in the store go away'],
  ['ha_suspend', 'checks run whether the address is here or not'],
  ['sorry_server_inhibit', 'the sorry server is taken out when it is not needed'],
  ['smtp_alert', 'no mail is sent; watch state/health in the store'],
]);

export function scheduling(block: readonly Statement[]): object {
  const scheduler = text(lastOf(block, 'lb_algo', 'lvs_sched'));
  const flags = FLAGS.filter((flag) => lastOf(block, flag) !== undefined);
  return {
    ...(scheduler === null ? {} : { scheduler }),
    ...(flags.length === 0 ? {} : { schedulerFlags: flags }),
    ...(lastOf(block, 'ops') === undefined ? {} : { onePacket: true }),
  };
}

/** "lvs_method TUN type gue port 6080 csum" and its shorter forms. */
export function forwardOf(statement: Statement | undefined, report: ImportReport): { readonly forward?: unknown } {
  if (statement === undefined) return {};
  const [method = '', ...options] = statement.words.slice(1);
  switch (method.toUpperCase()) {
    case 'NAT':
      return { forward: 'nat' };
    case 'DR':
      return { forward: 'direct' };
    case 'TUN':
      return { forward: tunnelOf(options) };
    default:
      report.leftOut(statement, 'a forwarding method is NAT, DR or TUN');
      return {};
  }
}

const CHECKSUMS: Readonly<Record<string, string>> = { nocsum: 'none', csum: 'full', remcsum: 'remote' };

function tunnelOf(options: readonly string[]): object {
  const after = (word: string): string | undefined => options[options.indexOf(word) + 1];
  const type = options.includes('type') ? (after('type') ?? 'ipip') : 'ipip';
  const port = options.includes('port') ? Number(after('port')) : undefined;
  const checksum = options.map((option) => CHECKSUMS[option]).find((each) => each !== undefined);
  return {
    tunnel: type,
    ...(port === undefined ? {} : { port }),
    ...(checksum === undefined ? {} : { checksum }),
  };
}

export function persistenceOf(block: readonly Statement[], report: ImportReport): object {
  const timeout = lastOf(block, 'persistence_timeout');
  const granularity = lastOf(block, 'persistence_granularity');
  const engine = text(lastOf(block, 'persistence_engine'));
  if (timeout === undefined && granularity === undefined && engine === null) return {};
  const mask = granularity === undefined ? undefined : maskLength(text(granularity) ?? '');
  if (granularity !== undefined && mask === undefined) report.leftOut(granularity, 'it is neither a mask nor a length');
  const isIpv4 = text(granularity)?.includes('.') === true;
  return {
    persistence: {
      timeout: `${numberOf(timeout) ?? 360}s`,
      ...(mask === undefined ? {} : isIpv4 ? { mask } : { prefixLength: mask }),
      ...(engine === null ? {} : { engine }),
    },
  };
}

export function quorumOf(block: readonly Statement[]): object {
  const quorum = numberOf(lastOf(block, 'quorum')) ?? 1;
  const hysteresis = numberOf(lastOf(block, 'hysteresis')) ?? 0;
  // One of any weight: what both call held by default, unless some weight is 0.
  if (quorum <= 1 && hysteresis === 0) return {};
  return { quorum: { weight: Math.max(1, quorum), ...(hysteresis === 0 ? {} : { hysteresis }) } };
}

/** A real without `alpha` counts as up before its first check; without `inhibit_on_failure` a dead one is removed. */
export function healthOf(block: readonly Statement[], reals: readonly Statement[], fall: number): object {
  const everywhere = (keyword: string): boolean =>
    lastOf(block, keyword) !== undefined ||
    (reals.length > 0 && reals.every((real) => lastOf(real.block ?? [], keyword) !== undefined));
  return {
    health: {
      fall,
      initial: everywhere('alpha') ? 'unknown' : 'up',
      whenDown: everywhere('inhibit_on_failure') ? 'quiesce' : 'remove',
    },
  };
}

export function sorryOf(block: readonly Statement[], report: ImportReport): object {
  const statement = lastOf(block, 'sorry_server');
  if (statement === undefined) return {};
  const [, address, port] = statement.words;
  const { forward } = forwardOf(lastOf(block, 'sorry_server_lvs_method'), report);
  return {
    sorry: {
      address,
      ...(port === undefined || port === '0' ? {} : { port: Number(port) }),
      ...(forward === undefined ? {} : { forward }),
    },
  };
}

export const REAL_KEYWORDS: ReadonlySet<string> = new Set([
  ...['weight', 'inhibit_on_failure', 'lvs_method', 'uthreshold', 'lthreshold', 'alpha', 'virtualhost', 'snmp_name'],
  ...['retry', 'nb_get_retry', 'delay_before_retry', 'delay_loop', 'connect_timeout', 'warmup'],
  ...['TCP_CHECK', 'HTTP_GET', 'SSL_GET'],
  // Said by the checks.
  ...['MISC_CHECK', 'SMTP_CHECK', 'DNS_CHECK', 'UDP_CHECK', 'PING_CHECK', 'FILE_CHECK', 'BFD_CHECK'],
]);

export const REAL_EXPLANATIONS = new Map([
  ['notify_up', 'no programs are run; watch state/health in the store'],
  ['notify_down', 'no programs are run; watch state/health in the store'],
  ['smtp_alert', 'no mail is sent; watch state/health in the store'],
]);

/** What all reals of a service have in common. */
export interface RealDefaults {
  readonly weight: number | undefined;
  /** The service's; undefined = NAT. */
  readonly forward: unknown;
  readonly isMark: boolean;
}

/** Without its checks. A port of its own is kept where packets can be sent to it: by NAT. */
export function realFields(real: Statement, defaults: RealDefaults, report: ImportReport): object {
  const [, address, portWord] = real.words;
  const block = real.block ?? [];
  const { forward } = forwardOf(lastOf(block, 'lvs_method'), report);
  const weight = numberOf(lastOf(block, 'weight')) ?? defaults.weight;
  const upper = numberOf(lastOf(block, 'uthreshold'));
  const lower = numberOf(lastOf(block, 'lthreshold'));
  const isNat = (forward ?? defaults.forward ?? 'nat') === 'nat';
  const port = isNat && !defaults.isMark && portWord !== undefined && portWord !== '0' ? Number(portWord) : undefined;
  return {
    address,
    ...(port === undefined ? {} : { port }),
    ...(weight === undefined ? {} : { weight }),
    ...(forward === undefined ? {} : { forward }),
    ...(upper === undefined ? {} : { upperThreshold: upper }),
    ...(lower === undefined ? {} : { lowerThreshold: lower }),
  };
}

/** Says where one real differs from what its service has for all of them. */
export function reportDifferences(
  block: readonly Statement[],
  reals: readonly Statement[],
  report: ImportReport,
): void {
  for (const keyword of ['alpha', 'inhibit_on_failure']) {
    if (lastOf(block, keyword) !== undefined) continue;
    const own = reals.flatMap((real) => (real.block ?? []).filter((each) => keywordOf(each) === keyword));
    if (own.length === reals.length) continue;
    for (const statement of own) report.leftOut(statement, 'it is the same for all reals of a service here');
  }
}
