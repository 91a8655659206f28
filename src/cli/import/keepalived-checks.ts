import type { ImportReport } from './import-report.ts';
import type { RecordNames } from './record-names.ts';
import type { Statement } from './statement.ts';
import { blockOf, keywordOf, lastOf, valueOf } from './statement.ts';

/** What checkers take over from their real, and reals from their service (keepalived.conf(5)). */
export interface CheckDefaults {
  readonly intervalSeconds: number;
  readonly connectTimeoutSeconds: number;
  readonly retry: number;
  readonly virtualHost: string | null;
  /** Where a real has no port of its own in its record; null = probe the real's. */
  readonly port: number | null;
}

/** keepalived's own: delay_loop 60 s, connect_timeout 5 s, one retry. */
export const KEEPALIVED_DEFAULTS: CheckDefaults = {
  intervalSeconds: 60,
  connectTimeoutSeconds: 5,
  retry: 1,
  virtualHost: null,
  port: null,
};

/** The checks of one real, as records know them. */
export interface ConvertedChecks {
  readonly names: readonly string[];
  /** The most failures in a row that one of them allows, plus one. */
  readonly fall: number;
}

const CHECKERS: Readonly<Record<string, 'tcp' | 'http' | 'https'>> = {
  TCP_CHECK: 'tcp',
  HTTP_GET: 'http',
  SSL_GET: 'https',
};

const NO_SUCH_CHECK = new Map(
  ['MISC_CHECK', 'SMTP_CHECK', 'DNS_CHECK', 'UDP_CHECK', 'PING_CHECK', 'FILE_CHECK', 'BFD_CHECK'].map((name) => [
    name,
    `there is no check of that kind: without another one the real counts as up whatever happens`,
  ]),
);

const COMMON_KEYWORDS = ['connect_timeout', 'connect_port', 'retry', 'delay_loop'];
const KNOWN: Readonly<Record<'tcp' | 'http' | 'https', ReadonlySet<string>>> = {
  tcp: new Set([...COMMON_KEYWORDS, 'connect_ip', 'delay_before_retry', 'warmup']),
  http: new Set([...COMMON_KEYWORDS, 'connect_ip', 'delay_before_retry', 'warmup', 'url', 'virtualhost']),
  https: new Set([
    ...[...COMMON_KEYWORDS, 'connect_ip', 'delay_before_retry', 'warmup', 'url', 'virtualhost'],
    ...['enable_sni', 'sni_name'],
  ]),
};
const URL_KEYWORDS = new Set(['path', 'status_code', 'virtualhost']);

const EXPLANATIONS = new Map([
  ['bindto', 'probes leave from the address that the kernel chooses'],
  ['bind_port', 'probes leave from the port that the kernel chooses'],
  ['bind_if', 'probes leave by the interface that the routes choose'],
  ['fwmark', 'probes carry no firewall mark'],
  ['digest', 'bodies are not compared, only the status code'],
  ['regex', 'bodies are not compared, only the status code'],
  ['regex_no_match', 'bodies are not compared, only the status code'],
  ['http_protocol', 'requests are HTTP/1.1'],
  ['nb_get_retry', 'write retry instead'],
]);

/** Makes check records of checkers: equal ones become one record that all reals share. */
export class CheckConverter {
  readonly records = new Map<string, object>();
  readonly #names: RecordNames;
  readonly #report: ImportReport;
  readonly #byContent = new Map<string, string>();

  constructor(names: RecordNames, report: ImportReport) {
    this.#names = names;
    this.#report = report;
  }

  /** @param address of the real: checks go there and nowhere else */
  convert(real: readonly Statement[], address: string, defaults: CheckDefaults): ConvertedChecks {
    const names: string[] = [];
    let fall = 1;
    for (const statement of real) {
      const keyword = keywordOf(statement);
      const lacking = NO_SUCH_CHECK.get(keyword);
      if (lacking !== undefined) this.#report.leftOut(statement, lacking);
      const type = CHECKERS[keyword];
      if (type === undefined) continue;
      const block = blockOf(statement);
      this.#report.unknownIn(block, KNOWN[type], EXPLANATIONS);
      reportNoNumbers(block, this.#report);
      const own = ownDefaults(block, defaults);
      this.#checkConnectIp(block, address);
      this.#checkTiming(statement, own);
      const common = this.#common(block, type, own, statement);
      for (const record of type === 'tcp' ? [common] : this.#urls(block, type, common, own, statement)) {
        const name = this.#nameOf(record);
        if (!names.includes(name)) names.push(name);
      }
      fall = Math.max(fall, own.retry + 1);
    }
    return { names, fall };
  }

  /** A check by its content, under a name that says what it does. Used for other grammars as well. */
  #nameOf(record: CheckFields): string {
    const content = JSON.stringify(record);
    const known = this.#byContent.get(content);
    if (known !== undefined) return known;
    const path = record.path === undefined || record.path === '/' ? '' : `-${record.path.replace(/^\//, '')}`;
    const port = record.port === undefined ? '' : `-${record.port}`;
    const name = this.#names.claim(`${record.type}${path}${port}`);
    this.#byContent.set(content, name);
    this.records.set(`config/checks/${name}`, record);
    return name;
  }

  #common(block: readonly Statement[], type: CheckFields['type'], own: CheckDefaults, from: Statement): CheckFields {
    const interval = own.intervalSeconds;
    if (own.connectTimeoutSeconds > interval) {
      this.#report.changed(
        from,
        `the timeout (${own.connectTimeoutSeconds} s) was cut to the interval (${interval} s)`,
      );
    }
    const port = numberOf(lastOf(block, 'connect_port')) ?? own.port;
    return {
      type,
      ...(port === null ? {} : { port }),
      interval: seconds(interval),
      timeout: seconds(Math.min(own.connectTimeoutSeconds, interval)),
    };
  }

  #urls(
    block: readonly Statement[],
    type: 'http' | 'https',
    common: CheckFields,
    own: CheckDefaults,
    from: Statement,
  ): readonly CheckFields[] {
    const urls = block.filter((statement) => keywordOf(statement) === 'url');
    if (urls.length === 0) this.#report.changed(from, 'it names no url: "/" is asked for');
    const checkerHost = text(lastOf(block, 'virtualhost')) ?? own.virtualHost;
    return (urls.length === 0 ? [from] : urls).map((url) => {
      const fields = url === from ? [] : blockOf(url);
      this.#report.unknownIn(fields, URL_KEYWORDS, EXPLANATIONS);
      const host = text(lastOf(fields, 'virtualhost')) ?? checkerHost;
      const sni = text(lastOf(block, 'sni_name'));
      const status = statusCodes(lastOf(fields, 'status_code'));
      return {
        ...common,
        path: pathOf(text(lastOf(fields, 'path')) ?? '/'),
        ...(host === null ? {} : { host }),
        ...(type === 'https' && sni !== null ? { sni } : {}),
        ...(status === null ? {} : { status }),
      };
    });
  }

  #checkConnectIp(block: readonly Statement[], address: string): void {
    const statement = lastOf(block, 'connect_ip');
    if (statement === undefined || text(statement) === address) return;
    this.#report.leftOut(statement, 'a check asks the real at its own address, never another one');
  }

  #checkTiming(checker: Statement, { intervalSeconds, retry }: CheckDefaults): void {
    if (retry === 0) return;
    const longest = intervalSeconds * (retry + 1);
    this.#report.changed(
      checker,
      `a failed probe is tried again after the interval, not after delay_before_retry: a dead real is down after up to ${longest} s`,
    );
  }
}

interface CheckFields {
  readonly type: 'tcp' | 'http' | 'https';
  readonly port?: number;
  readonly interval: string;
  readonly timeout: string;
  readonly path?: string;
  readonly host?: string;
  readonly sni?: string;
  readonly status?: readonly string[];
  readonly verify?: boolean;
}

/** What the block says, where it says something. */
export function ownDefaults(block: readonly Statement[], inherited: CheckDefaults): CheckDefaults {
  return {
    intervalSeconds: numberOf(lastOf(block, 'delay_loop')) ?? inherited.intervalSeconds,
    connectTimeoutSeconds: numberOf(lastOf(block, 'connect_timeout')) ?? inherited.connectTimeoutSeconds,
    retry: numberOf(lastOf(block, 'retry', 'nb_get_retry')) ?? inherited.retry,
    virtualHost: text(lastOf(block, 'virtualhost')) ?? inherited.virtualHost,
    port: inherited.port,
  };
}

export function text(statement: Statement | undefined): string | null {
  const value = statement === undefined ? '' : valueOf(statement);
  return value === '' ? null : value;
}

export function numberOf(statement: Statement | undefined): number | undefined {
  const value = statement?.words[1];
  return value !== undefined && /^[0-9]+(\.[0-9]+)?$/.test(value) ? Number(value) : undefined;
}

const NUMBERS = new Set([
  ...['weight', 'quorum', 'hysteresis', 'uthreshold', 'lthreshold', 'persistence_timeout', 'connect_port'],
  ...['delay_loop', 'connect_timeout', 'retry', 'nb_get_retry'],
]);

/** Says which numbers are none: what they are about gets its default. */
export function reportNoNumbers(block: readonly Statement[], report: ImportReport): void {
  for (const statement of block) {
    if (!NUMBERS.has(keywordOf(statement)) || statement.words.length === 1) continue;
    if (numberOf(statement) === undefined) report.leftOut(statement, 'it takes a number');
  }
}

/** "2.5" seconds are "2500ms": durations are whole numbers with a unit. */
export function seconds(value: number): string {
  return Number.isInteger(value) ? `${value}s` : `${Math.round(value * 1_000)}ms`;
}

function pathOf(path: string): string {
  return path.startsWith('/') ? path : `/${path}`;
}

function statusCodes(statement: Statement | undefined): readonly string[] | null {
  return statement === undefined ? null : statement.words.slice(1).filter((word) => word !== '-');
}
