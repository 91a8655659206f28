import type { IpAddress } from '../../model/address.ts';
import { canonicalAddress } from '../../model/address.ts';
import type { Problem } from '../../model/problem.ts';
import type { Decoded, RecordSet } from '../../model/record-set.ts';
import type { VipRecord } from '../../model/records/vip.ts';
import type { FieldProblem } from '../../model/validate.ts';
import type { DesiredVip, Named } from './desired-state.ts';
import { named } from './desired-state.ts';
import { finding } from './findings.ts';

export interface VipTable {
  get(name: string): DesiredVip | null;
  readonly problems: readonly Problem[];
}

/**
 * The VIPs that the services of this agent are on. Of VIPs with one address the one that was created first has it; a
 * VIP that cannot be used as its record says stays as it was, less the addresses that others have now.
 */
export function vipTable(used: ReadonlySet<string>, records: RecordSet['vips'], previous: Named<DesiredVip>): VipTable {
  const vips = new Map<string, DesiredVip | null>();
  const owners = new Map<IpAddress, string>();
  const problems: Problem[] = [];
  const lastGood = (name: string): DesiredVip | null => {
    const before = named(previous, name);
    const addresses = before?.addresses.filter((address) => !owners.has(address)) ?? [];
    return before === undefined || addresses.length === 0 ? null : { ...before, addresses };
  };
  const judged = (record: Decoded<VipRecord>): DesiredVip | null => {
    const vip = vipOf(record);
    const faults = vipFaults(vip, owners);
    if (faults.length === 0) return vip;
    const before = lastGood(record.name);
    const effect = before === null ? 'ignored' : 'last good version stays';
    for (const fault of faults) problems.push({ path: record.path, ...fault, effect });
    return before;
  };
  const get = (name: string): DesiredVip | null => {
    const known = vips.get(name);
    if (known !== undefined) return known;
    const record = records.get(name);
    // Without a record, nothing refers to it but what stays as it was.
    const vip = record === undefined ? lastGood(name) : judged(record);
    vips.set(name, vip);
    for (const address of vip?.addresses ?? []) owners.set(address, name);
    return vip;
  };
  // Those that the records of today refer to come before those that are only asked for later.
  for (const { name } of inOrder(used, records)) get(name);
  return { get, problems };
}

function inOrder(used: ReadonlySet<string>, records: RecordSet['vips']): Decoded<VipRecord>[] {
  const wanted = [...records.values()].filter(({ name }) => used.has(name));
  return wanted.sort(byAge);
}

/** Creation revision, then name: the order in which records get what only one can have, the same on every agent. */
export function byAge(a: Decoded<unknown>, b: Decoded<unknown>): number {
  if (a.created !== b.created) return a.created < b.created ? -1 : 1;
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function vipOf({ name, value }: Decoded<VipRecord>): DesiredVip {
  const { advertise } = value;
  return {
    name,
    addresses: [...new Set(value.addresses.map(canonicalAddress))],
    interface: value.interface,
    advertise: {
      when: advertise.when,
      communities: advertise.communities,
      largeCommunities: advertise.largeCommunities,
      med: advertise.med ?? null,
      localPref: advertise.localPref ?? null,
      prepend: advertise.prepend,
      peers: advertise.peers ?? null,
    },
    silenced: value.silenced ?? null,
  };
}

function vipFaults(vip: DesiredVip, owners: ReadonlyMap<IpAddress, string>): FieldProblem[] {
  return vip.addresses.flatMap((address, index) => {
    const owner = owners.get(address);
    if (owner === undefined) return [];
    return [finding(`addresses[${index}]`, address, `an address that VIP "${owner}" does not have`)];
  });
}
