import type { ImportReport } from './import-report.ts';
import { RecordNames } from './record-names.ts';
import type { Statement } from './statement.ts';
import { blockOf, keywordOf, lastOf, valueOf } from './statement.ts';

const GENERAL_KEYWORDS = new Set(['notifier', 'adapter', 'api']);
const BGP_KEYWORDS = new Set(['ASN', 'neighbour', 'listen']);

/** How the clone's adapters are called here; any other word meant a dry run. */
const ADAPTERS: Readonly<Record<string, string>> = { ipvsadm: 'ipvsadm', netlink: 'ipvs', gnl2go: 'ipvs' };

/** @returns the settings for all agents, null if there are none */
export function goCloneSettings(
  general: readonly Statement[],
  isTesting: boolean,
  report: ImportReport,
): object | null {
  report.unknownIn(general, GENERAL_KEYWORDS, new Map());
  const api = lastOf(general, 'api');
  if (api !== undefined) report.leftOut(api, 'where the API listens is said in the bootstrap file: "api"');
  const adapter = lastOf(general, 'adapter');
  const settings = { ...adapterOf(adapter, isTesting), ...bgpOf(lastOf(general, 'notifier'), report) };
  return Object.keys(settings).length === 0 ? null : settings;
}

function adapterOf(adapter: Statement | undefined, isTesting: boolean): object {
  if (isTesting) return { dataplane: 'memory' };
  return adapter === undefined ? {} : { dataplane: ADAPTERS[valueOf(adapter)] ?? 'memory' };
}

/** All neighbours had the one AS number: the sessions were of the internal kind. */
function bgpOf(notifier: Statement | undefined, report: ImportReport): object {
  if (notifier === undefined) return {};
  if (notifier.words[1] !== 'bgp') {
    report.leftOut(notifier, 'the only way to announce is BGP');
    return {};
  }
  const block = blockOf(notifier);
  report.unknownIn(block, BGP_KEYWORDS, new Map());
  const listen = lastOf(block, 'listen');
  if (listen !== undefined) report.leftOut(listen, 'sessions are opened from here, never taken from outside');
  const asn = lastOf(block, 'ASN');
  const number = asn === undefined ? undefined : Number(valueOf(asn));
  if (number === undefined || !Number.isInteger(number)) {
    report.leftOut(asn ?? notifier, 'without an AS number there is no BGP');
    return {};
  }
  const names = new RecordNames();
  const peers = block
    .filter((statement) => keywordOf(statement) === 'neighbour')
    .map((statement) => {
      const address = (statement.words[1] ?? '').replace(/^\[(.*)\]$/, '$1');
      return [names.claim(`peer-${address}`), { address, asn: number }] as const;
    });
  return { bgp: { asn: number, peers: Object.fromEntries(peers) } };
}
