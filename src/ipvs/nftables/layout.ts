import { addressFromBytes } from '../../model/address.ts';
import type { Family } from '../../model/address.ts';
import type { DestinationKey, KernelDestination, KernelService, ServiceKey, ServiceMatch } from '../dataplane.ts';
import type { TableEntry } from '../kernel-table.ts';
import { TABLE, keptName, realName, serviceName } from './names.ts';
import { sharingRule } from './shares.ts';
import { endpointText, mapText, withComment } from './statement-text.ts';

/*
 * What our table holds for a set of services:
 *
 *   prerouting, output   base chains of type nat, which see the first packet of each connection: jump dispatch
 *   dispatch             by firewall mark, then by address, protocol and port, then by address and protocol alone, as
 *                        ip_vs_service_find() looks: goto the service
 *   svc/…                counts the connection, sends a client that has a real there, shares out the rest
 *   real/…               counts the connection, notes the client, and rewrites the address
 *
 * What a rule does not show (the scheduler by name, a weight of 0) is in the comment of the counting rule. The
 * comments say what was asked for, the rules what happens: they are compared when the table is read.
 */

/** Numbers of transport protocols (/etc/protocols); the listing has numbers, and so have the rules. */
export const PROTOCOL_NUMBERS = { tcp: 6, udp: 17, sctp: 132 } as const;

export interface Chain {
  /** Where a base chain hooks in, as nft(8) writes it; null = an ordinary chain. */
  readonly hook: string | null;
  readonly rules: readonly string[];
  /** Whose fault it is if the kernel refuses it; null = all services need it. */
  readonly owner: ServiceKey | null;
}

export interface Layout {
  readonly chains: ReadonlyMap<string, Chain>;
  /** Named counters: they outlive the rules that count. */
  readonly counters: ReadonlyMap<string, ServiceKey>;
  readonly sets: ReadonlyMap<string, KeptSet>;
}

export interface KeptSet {
  /** Its specification for nft(8). */
  readonly text: string;
  readonly owner: ServiceKey;
  /** The chain of a real that takes nobody any more: with the change of its weight the clients are forgotten. */
  readonly closedBy: string | null;
}

export const DISPATCH = 'dispatch';
/** The priority of destination NAT, NF_IP_PRI_NAT_DST (include/uapi/linux/netfilter_ipv4.h). */
export const BASE_CHAINS: ReadonlyMap<string, Chain> = new Map(
  ['prerouting', 'output'].map((hook) => [
    hook,
    { hook: `type nat hook ${hook} priority -100; policy accept;`, rules: [`jump ${DISPATCH}`], owner: null },
  ]),
);

/** Clients that one set remembers. Where it is full, others are served, but do not stay. */
const MAX_CLIENTS = 262_144;

export function layoutOf(entries: ReadonlyMap<ServiceKey, TableEntry>): Layout {
  const chains = new Map<string, Chain>();
  const counters = new Map<string, ServiceKey>();
  const sets = new Map<string, KeptSet>();
  for (const [owner, { service, destinations }] of entries) {
    const reals = inOrder(destinations);
    const name = serviceName(service.match);
    counters.set(name, owner);
    chains.set(name, { hook: null, rules: serviceRules(service, reals), owner });
    for (const real of reals) {
      const realChain = realName(service.match, real);
      counters.set(realChain, owner);
      chains.set(realChain, { hook: null, rules: realRules(service, real), owner });
      if (service.persistence !== null) {
        const closedBy = real.weight === 0 ? realChain : null;
        sets.set(keptName(service.match, real, service.persistence), { text: keptSet(service), owner, closedBy });
      }
    }
  }
  chains.set(DISPATCH, { hook: null, rules: dispatchRules(entries), owner: null });
  for (const [name, chain] of BASE_CHAINS) chains.set(name, chain);
  return { chains, counters, sets };
}

/** By key: the kernel does not keep the order in which they came. */
function inOrder(destinations: ReadonlyMap<DestinationKey, KernelDestination>): KernelDestination[] {
  return [...destinations].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, destination]) => destination);
}

/** @param reals in the order of their keys */
export function serviceRules(service: KernelService, reals: readonly KernelDestination[]): string[] {
  const { match, persistence } = service;
  const name = serviceName(match);
  const rules = [withComment(`counter name "${name}"`, declarationOf(service))];
  const open = reals.filter(({ weight }) => weight > 0);
  if (persistence !== null) {
    const client = clientOf(match.family, persistence.prefixLength);
    for (const real of open) {
      rules.push(`${client} == @${keptName(match, real, persistence)} goto ${realName(match, real)}`);
    }
  }
  const sharing = sharingRule(
    service,
    open.map((real) => ({ chain: realName(match, real), weight: real.weight })),
  );
  // Whoever has no real gets no answer; it must not reach what listens on the director itself.
  return sharing === null ? [...rules, 'drop'] : [...rules, sharing];
}

export function realRules({ match, persistence }: KernelService, real: KernelDestination): string[] {
  const name = realName(match, real);
  const rules = [withComment(`counter name "${name}"`, `weight ${real.weight}`)];
  if (persistence !== null) {
    const client = clientOf(match.family, persistence.prefixLength);
    rules.push(`update @${keptName(match, real, persistence)} { ${client} }`);
  }
  const ip = IP[match.family];
  if (real.port === 0) return [...rules, `dnat ${ip} to ${real.address}`];
  const protocols =
    match.kind === 'address'
      ? String(PROTOCOL_NUMBERS[match.protocol])
      : mapText(Object.values(PROTOCOL_NUMBERS).map(String));
  return [...rules, `meta l4proto == ${protocols} dnat ${ip} to ${endpointText(real.address, real.port)}`];
}

const IP = { ipv4: 'ip', ipv6: 'ip6' } as const;

/** What identifies a client: its address, or the network that it is in. */
function clientOf(family: Family, prefixLength: number): string {
  const bytes = new Uint8Array(family === 'ipv4' ? 4 : 16);
  const saddr = `${IP[family]} saddr`;
  if (prefixLength === bytes.length * 8) return saddr;
  for (let bit = 0; bit < prefixLength; bit++) bytes[bit >> 3] = (bytes[bit >> 3] ?? 0) | (0x80 >> (bit & 7));
  return `${saddr} & ${addressFromBytes(bytes)}`;
}

function keptSet({ match, persistence }: KernelService): string {
  const timeout = persistence?.timeoutSeconds ?? 0;
  return `{ type ${match.family}_addr; flags dynamic, timeout; timeout ${timeout}s; size ${MAX_CLIENTS}; }`;
}

/** `wlc flags 0` or `wlc flags 0 persistence 360/24`. */
function declarationOf({ scheduler, schedulerFlags, persistence }: KernelService): string {
  const declared = `${scheduler} flags ${schedulerFlags}`;
  if (persistence === null) return declared;
  return `${declared} persistence ${persistence.timeoutSeconds}/${persistence.prefixLength}`;
}

const DISPATCH_KEYS = {
  mark: 'meta nfproto . meta mark',
  port4: 'ip daddr . meta l4proto . th dport',
  port6: 'ip6 daddr . meta l4proto . th dport',
  any4: 'ip daddr . meta l4proto',
  any6: 'ip6 daddr . meta l4proto',
} as const;

function dispatchRules(entries: ReadonlyMap<ServiceKey, TableEntry>): string[] {
  const maps = new Map<string, string[]>(Object.values(DISPATCH_KEYS).map((key) => [key, []]));
  for (const { service } of entries.values()) {
    const { key, element } = dispatchElement(service.match);
    maps.get(key)?.push(element);
  }
  return [...maps].flatMap(([key, elements]) => (elements.length === 0 ? [] : [`${key} vmap ${mapText(elements)}`]));
}

/** How packets find the service: which rule of `dispatch`, and the element in its map. */
export function dispatchElement(match: ServiceMatch): { readonly key: string; readonly element: string } {
  const verdict = `goto ${serviceName(match)}`;
  if (match.kind === 'fwmark') {
    return { key: DISPATCH_KEYS.mark, element: `${match.family} . ${match.fwmark} : ${verdict}` };
  }
  const four = match.family === 'ipv4';
  const toHost = `${match.address} . ${PROTOCOL_NUMBERS[match.protocol]}`;
  if (match.port === 0) return { key: DISPATCH_KEYS[four ? 'any4' : 'any6'], element: `${toHost} : ${verdict}` };
  return { key: DISPATCH_KEYS[four ? 'port4' : 'port6'], element: `${toHost} . ${match.port} : ${verdict}` };
}

/** The words with which every command on one of our objects begins. */
export function command(
  verb: 'add' | 'delete' | 'flush',
  kind: 'chain' | 'rule' | 'set' | 'counter',
  rest: string,
): string {
  return `${verb} ${kind} ${TABLE} ${rest}`;
}
