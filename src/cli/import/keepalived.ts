import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { IpAddress } from '../../model/address.ts';
import { parseStatements } from './grammar.ts';
import { ImportReport } from './import-report.ts';
import type { Imported } from './import-report.ts';
import {
  CheckConverter,
  KEEPALIVED_DEFAULTS,
  numberOf,
  ownDefaults,
  reportNoNumbers,
  text,
} from './keepalived-checks.ts';
import type { CheckDefaults } from './keepalived-checks.ts';
import { endpointsOf, vipPorts } from './keepalived-endpoints.ts';
import type { VipPorts } from './keepalived-endpoints.ts';
import { agentSettings } from './keepalived-globals.ts';
import * as service from './keepalived-service.ts';
import type { KeepalivedTextOptions, TextFile } from './keepalived-text.ts';
import { keepalivedLines } from './keepalived-text.ts';
import { RecordNames } from './record-names.ts';
import type { Statement } from './statement.ts';
import { blockOf, keywordOf, lastOf } from './statement.ts';

export interface KeepalivedOptions extends KeepalivedTextOptions {
  /** The addresses that clients of a firewall mark connect to: keepalived.conf does not say. */
  readonly markAddresses: ReadonlyMap<number, readonly IpAddress[]>;
}

const TOP_EXPLANATIONS = new Map([
  ['vrrp_instance', 'VIPs are announced by BGP, not moved by VRRP; see config/agents, "bgp"'],
  ['vrrp_sync_group', 'VIPs are announced by BGP, not moved by VRRP; see config/agents, "bgp"'],
  ['vrrp_script', 'VIPs are announced by BGP, not moved by VRRP; see config/agents, "bgp"'],
  ['static_ipaddress', 'only addresses of VIPs are put on interfaces'],
  ['static_routes', 'routes of the host are not touched'],
  ['bfd_instance', 'there is no BFD'],
  ['SSL', 'checks name their own certificates: "ca", "certificate" and "key" of a check'],
]);

const TOP_KEYWORDS = new Set(['virtual_server', 'virtual_server_group', 'global_defs']);

/**
 * The records that do what the LVS part of a keepalived.conf does, as far as that can be said, and a note about
 * everything else.
 * @returns an error only for text that cannot be read at all
 */
export function importKeepalived(file: TextFile, options: KeepalivedOptions): Result<Imported, string> {
  const lines = keepalivedLines(file, options);
  if (!lines.ok) return lines;
  const statements = parseStatements(lines.value, { comments: '#!', quotes: true });
  if (!statements.ok) return err(statements.error);
  const converter = new Converter(statements.value, options);
  return ok(converter.convert());
}

class Converter {
  readonly #statements: readonly Statement[];
  readonly #options: KeepalivedOptions;
  readonly #report = new ImportReport();
  readonly #records = new Map<string, object>();
  readonly #vipNames = new RecordNames();
  readonly #serviceNames = new RecordNames();
  readonly #checks = new CheckConverter(new RecordNames(), this.#report);
  readonly #vips = new Map<string, string>();

  constructor(statements: readonly Statement[], options: KeepalivedOptions) {
    this.#statements = statements;
    this.#options = options;
  }

  convert(): Imported {
    this.#report.unknownIn(this.#statements, TOP_KEYWORDS, TOP_EXPLANATIONS);
    const settings = agentSettings(this.#named('global_defs'), this.#report);
    if (settings !== null) this.#records.set('config/agents/_default', settings);
    for (const statement of this.#named('virtual_server')) this.#virtualServer(statement);
    for (const [path, record] of this.#checks.records) this.#records.set(path, record);
    return { records: new Map([...this.#records].sort(byPath)), notes: this.#report.notes() };
  }

  #named(keyword: string): readonly Statement[] {
    return this.#statements.filter((statement) => keywordOf(statement) === keyword);
  }

  #virtualServer(statement: Statement): void {
    const endpoints = endpointsOf(statement, this.#named('virtual_server_group'), this.#options.markAddresses);
    if (!endpoints.ok) {
      this.#report.leftOut(statement, endpoints.error);
      return;
    }
    for (const why of endpoints.value.unusable) this.#report.leftOut(statement, why);
    const block = blockOf(statement);
    const protocol = service.protocolOf(block);
    if (protocol === null) {
      this.#report.leftOut(lastOf(block, 'protocol') ?? statement, 'a protocol is TCP, UDP or SCTP');
      return;
    }
    this.#report.unknownIn(block, service.SERVICE_KEYWORDS, service.SERVICE_EXPLANATIONS);
    reportNoNumbers(block, this.#report);
    for (const where of vipPorts(endpoints.value)) this.#service(statement, protocol, where);
  }

  #service(statement: Statement, protocol: service.Protocol, where: VipPorts): void {
    const block = blockOf(statement);
    const report = this.#report;
    const reals = block.filter((each) => keywordOf(each) === 'real_server');
    const defaults = ownDefaults(block, KEEPALIVED_DEFAULTS);
    const vip = this.#vipOf(where);
    const name = this.#serviceNames.claim(text(lastOf(block, 'snmp_name')) ?? serviceName(where, protocol));
    const { forward } = service.forwardOf(lastOf(block, 'lb_kind', 'lvs_method'), report);
    const weight = numberOf(lastOf(block, 'weight'));
    const converted = this.#reals(reals, { weight, forward, isMark: where.mark !== null }, defaults);
    const shared = sharedChecks(converted);
    const fall = Math.max(1, ...converted.map((real) => real.fall));
    service.reportDifferences(block, reals, report);
    this.#records.set(`config/services/${name}`, {
      vip,
      match: matchOf(where, protocol),
      ...service.scheduling(block),
      ...(forward === undefined ? {} : { forward }),
      ...service.persistenceOf(block, report),
      ...(shared.length === 0 ? {} : { checks: shared }),
      ...service.healthOf(block, reals, fall),
      ...service.quorumOf(block),
      ...service.sorryOf(block, report),
    });
    for (const real of converted) {
      const own = sameList(real.checks, shared) ? {} : { checks: real.checks };
      this.#records.set(`config/services/${name}/reals/${real.name}`, { ...real.fields, ...own });
    }
  }

  #reals(reals: readonly Statement[], realDefaults: service.RealDefaults, defaults: CheckDefaults) {
    const names = new RecordNames();
    return reals.map((real) => {
      const block = blockOf(real);
      this.#report.unknownIn(block, service.REAL_KEYWORDS, service.REAL_EXPLANATIONS);
      reportNoNumbers(block, this.#report);
      const [, address = '', port] = real.words;
      const ownPort = realDefaults.isMark && port !== undefined && port !== '0' ? Number(port) : null;
      const checks = this.#checks.convert(block, address, { ...ownDefaults(block, defaults), port: ownPort });
      const wanted = text(lastOf(block, 'snmp_name')) ?? (port === undefined ? address : `${address}-${port}`);
      const fields = service.realFields(real, realDefaults, this.#report);
      return { name: names.claim(wanted), fields, checks: checks.names, fall: checks.fall };
    });
  }

  /** One VIP record for each set of addresses, whatever number of services is on it. */
  #vipOf({ name, addresses }: VipPorts): string {
    const content = addresses.join(' ');
    const known = this.#vips.get(content);
    if (known !== undefined) return known;
    const vip = this.#vipNames.claim(name);
    this.#vips.set(content, vip);
    this.#records.set(`config/vips/${vip}`, { addresses });
    return vip;
  }
}

function matchOf({ ports, mark, families }: VipPorts, protocol: service.Protocol): object {
  return mark === null ? { ports, protocols: [protocol] } : { fwmark: mark, families };
}

function serviceName({ name, ports, mark }: VipPorts, protocol: service.Protocol): string {
  return mark === null ? `${name}-${protocol}-${ports.join('-')}` : name;
}

/** What most reals have: the service's; the others say their own. */
function sharedChecks(reals: readonly { readonly checks: readonly string[] }[]): readonly string[] {
  const counts = new Map<string, { readonly checks: readonly string[]; count: number }>();
  for (const { checks } of reals) {
    const entry = counts.get(checks.join(' ')) ?? { checks, count: 0 };
    entry.count++;
    counts.set(checks.join(' '), entry);
  }
  return [...counts.values()].sort((a, b) => b.count - a.count)[0]?.checks ?? [];
}

function sameList(a: readonly string[], b: readonly string[]): boolean {
  return a.length === b.length && a.every((each, index) => each === b[index]);
}

function byPath([a]: readonly [string, object], [b]: readonly [string, object]): number {
  return a < b ? -1 : 1;
}
