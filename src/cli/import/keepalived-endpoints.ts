import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Family, IpAddress } from '../../model/address.ts';
import { familyOf } from '../../model/address.ts';
import { addressesOf } from './keepalived-addresses.ts';
import type { Statement } from './statement.ts';
import { blockOf, keywordOf } from './statement.ts';

/** Where a virtual_server listens. */
export interface Endpoints {
  /** What people would call it. */
  readonly name: string;
  readonly addresses: readonly { readonly address: IpAddress; readonly port: string }[];
  readonly marks: readonly { readonly mark: number; readonly addresses: readonly IpAddress[] }[];
  /** Members that cannot be used, and why; the others can. */
  readonly unusable: readonly string[];
}

/** A VIP and the ports on it, or a mark: what one service record can say. */
export interface VipPorts {
  readonly name: string;
  readonly addresses: readonly IpAddress[];
  readonly ports: readonly string[];
  readonly mark: number | null;
  readonly families: readonly Family[];
}

type MarkAddresses = ReadonlyMap<number, readonly IpAddress[]>;

/** `virtual_server ADDRESS [PORT]`, `virtual_server fwmark MARK` or `virtual_server group NAME`. */
export function endpointsOf(
  { words }: Statement,
  groups: readonly Statement[],
  markAddresses: MarkAddresses,
): Result<Endpoints, string> {
  const [, first = '', second] = words;
  if (first === 'group') {
    const group = groups.find((each) => each.words[1] === second);
    if (group === undefined) return err(`there is no virtual_server_group "${second ?? ''}"`);
    return ok(groupEndpoints(second ?? '', blockOf(group), markAddresses));
  }
  const one = first === 'fwmark' ? [first, second ?? ''] : [first, second ?? '0'];
  return ok(endpointsOfLines(first === 'fwmark' ? `mark-${second ?? ''}` : first, [one], markAddresses));
}

function groupEndpoints(name: string, members: readonly Statement[], markAddresses: MarkAddresses): Endpoints {
  const lines = members.map((member) => {
    const keyword = keywordOf(member);
    return keyword === 'fwmark' ? member.words : [keyword, member.words[1] ?? '0'];
  });
  return endpointsOfLines(name, lines, markAddresses);
}

function endpointsOfLines(
  name: string,
  lines: readonly (readonly string[])[],
  markAddresses: MarkAddresses,
): Endpoints {
  const addresses: Endpoints['addresses'][number][] = [];
  const marks: Endpoints['marks'][number][] = [];
  const unusable: string[] = [];
  for (const [first = '', second = ''] of lines) {
    if (first === 'fwmark') {
      const known = markAddresses.get(Number(second));
      if (known !== undefined) marks.push({ mark: Number(second), addresses: known });
      else unusable.push(`no address is known for firewall mark ${second}: say --mark-address ${second}=ADDRESS`);
      continue;
    }
    const range = /^[0-9]{1,5}(-[0-9]{1,5})?$/.test(second) ? addressesOf(first) : err(`"${second}" is not a port`);
    if (!range.ok) unusable.push(range.error);
    else for (const address of range.value) addresses.push({ address, port: second });
  }
  return { name, addresses, marks, unusable };
}

/** Addresses with the same ports belong to one VIP; where they differ, there are several. */
export function vipPorts({ name, addresses, marks }: Endpoints): readonly VipPorts[] {
  const portsOf = new Map<IpAddress, Set<string>>();
  for (const { address, port } of addresses) portsOf.set(address, (portsOf.get(address) ?? new Set()).add(port));
  const byPorts = new Map<string, VipPorts & { readonly addresses: IpAddress[] }>();
  for (const [address, ports] of portsOf) {
    const key = [...ports].join(' ');
    const entry = byPorts.get(key) ?? { name, addresses: [], ports: [...ports], mark: null, families: [] };
    entry.addresses.push(address);
    byPorts.set(key, entry);
  }
  const marked = marks.map(({ mark, addresses: known }): VipPorts => {
    const families = [...new Set(known.map((address) => familyOf(address)))];
    return { name, addresses: known, ports: [], mark, families };
  });
  return [...byPorts.values(), ...marked].flatMap(splitLarge);
}

/** What a VIP record holds at most. */
const MAX_ADDRESSES = 16;

function splitLarge(one: VipPorts): readonly VipPorts[] {
  const parts: VipPorts[] = [];
  for (let at = 0; at < one.addresses.length; at += MAX_ADDRESSES) {
    parts.push({ ...one, addresses: one.addresses.slice(at, at + MAX_ADDRESSES) });
  }
  return parts;
}
