import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { familyOf } from '../../model/address.ts';
import { serviceKeyOf } from '../dataplane.ts';
import type { ServiceKey } from '../dataplane.ts';
import type { PacketMark, PacketMarks } from '../packet-marks.ts';
import type { RunProgram } from '../program.ts';
import { PROTOCOL_NUMBERS } from './layout.ts';
import type { Listing } from './listing.ts';
import { listTable } from './nft-command.ts';
import { mapText } from './statement-text.ts';

/** A table of its own, beside that of the dataplane: marks also serve IPVS. */
export const MARKS_TABLE = 'vipkeeper-marks';

/**
 * IPVS and the rules of the dataplane look at a packet after the priority of mangling, NF_IP_PRI_MANGLE
 * (include/uapi/linux/netfilter_ipv4.h). What the host itself sends is routed anew when its mark changes.
 */
const CHAINS: Readonly<Record<string, string>> = {
  prerouting: 'type filter hook prerouting priority -150; policy accept;',
  output: 'type route hook output priority -150; policy accept;',
};

/** Packet marks by rules of nf_tables. The table is ours by its name; it is gone when no mark is wanted. */
export class NftPacketMarks implements PacketMarks {
  readonly #run: RunProgram;

  constructor(deps: { readonly run: RunProgram }) {
    this.#run = deps.run;
  }

  async apply(wanted: readonly PacketMark[], leaving: ReadonlySet<ServiceKey>): Promise<Result<boolean, CodedError>> {
    const listing = await listTable(this.#run, MARKS_TABLE);
    // Where nobody asks for marks, it does not matter that there is no nft.
    if (!listing.ok) return wanted.length === 0 && leaving.size === 0 ? ok(false) : listing;
    const lines = marksTransaction(listing.value, wanted, leaving);
    if (lines.length === 0) return ok(false);
    const end = await this.#run(['--file', '-'], lines.map((line) => `${line}\n`).join(''));
    if (!end.ok) return end;
    if (end.value.status === 0) return ok(true);
    return err(new CodedError('NFT_FAILED', `could not set packet marks: ${end.value.stderr}`, { transient: true }));
  }
}

/**
 * What makes the table that is listed into the one that is wanted, as commands of one transaction.
 * @param listing null = there is no such table
 */
export function marksTransaction(
  listing: Listing | null,
  wanted: readonly PacketMark[],
  leaving: ReadonlySet<ServiceKey>,
): string[] {
  const own = wanted.map(markRule);
  const left = (listing?.chains.get('prerouting')?.rules ?? []).filter((rule) => {
    const key = keyOfRule(rule);
    return key !== null && leaving.has(key) && !own.includes(rule);
  });
  // The last that sets a mark decides.
  const rules = [...left, ...own];
  const table = `inet ${MARKS_TABLE}`;
  if (rules.length === 0) return listing === null ? [] : [`delete table ${table}`];
  if (listing !== null && Object.entries(CHAINS).every(([name, hook]) => holds(listing, name, hook, rules))) return [];
  return [
    `add table ${table}`,
    `delete table ${table}`,
    `add table ${table}`,
    ...Object.entries(CHAINS).flatMap(([name, hook]) => [
      `add chain ${table} ${name} { ${hook} }`,
      ...rules.map((rule) => `add rule ${table} ${name} ${rule}`),
    ]),
  ];
}

function holds({ chains }: Listing, name: string, hook: string, rules: readonly string[]): boolean {
  const chain = chains.get(name);
  return chain?.hook === hook && chain.rules.toSorted().join('\n') === rules.toSorted().join('\n');
}

const IP = { ipv4: 'ip', ipv6: 'ip6' } as const;

function markRule({ fwmark, address, protocol, ports }: PacketMark): string {
  const to = `${IP[familyOf(address)]} daddr == ${address}`;
  // A port tells the protocol as well, and nft lists it so.
  if (ports.length === 0) return `${to} meta l4proto == ${PROTOCOL_NUMBERS[protocol]} meta mark set ${fwmark}`;
  const ranges = ports.map(({ first, last }) => (first === last ? String(first) : `${first}-${last}`));
  const [only = ''] = ranges;
  return `${to} ${protocol} dport == ${ranges.length === 1 ? only : mapText(ranges)} meta mark set ${fwmark}`;
}

/** The kernel service that a rule of ours marks packets for; null = it is not one of ours. */
function keyOfRule(rule: string): ServiceKey | null {
  const [, ip, mark] = /^(ip6?) daddr .* meta mark set (\d+)$/.exec(rule) ?? [];
  if (ip === undefined || mark === undefined) return null;
  return serviceKeyOf({ kind: 'fwmark', family: ip === 'ip' ? 'ipv4' : 'ipv6', fwmark: Number(mark) });
}
