import type { InterfaceAddress } from '../../ipvs/addresses.ts';
import { familyOf, isInNetwork } from '../../model/address.ts';
import type { Family, IpAddress } from '../../model/address.ts';
import type { Problem } from '../../model/problem.ts';
import type { Desired, DesiredService, DesiredVip } from './desired-state.ts';

/** What the services ask of a setting of the host. Where several settings are named, the kernel uses the largest. */
export interface HostRule {
  readonly settings: readonly string[];
  readonly isGood: (value: number) => boolean;
  /** The record that asks for it. */
  readonly path: string;
  /** What would be right, and what happens otherwise. */
  readonly allowed: string;
}

/** Dataplanes that are IPVS. */
const IPVS: readonly string[] = ['ipvs', 'ipvsadm'];

/**
 * What the records ask of the host's own settings, on a director: what reals need, nobody can see from here.
 * @param addresses of this host
 */
export function hostRules(desired: Desired, addresses: readonly InterfaceAddress[]): HostRule[] {
  const services = Object.values(desired.services);
  return [
    ...forwardingRules(services, addresses),
    ...reversePathRules(services, addresses),
    ...neighbourRules(Object.values(desired.vips), addresses),
    ...(IPVS.includes(desired.agent.dataplane) ? policyRules(services) : []),
  ];
}

/** @param values of the settings, dotted names; a setting that is not there asks for nothing */
export function hostFindings(rules: readonly HostRule[], values: ReadonlyMap<string, string>): Problem[] {
  return rules.flatMap(({ settings, isGood, path, allowed }) => {
    const numbers = settings.flatMap((name) => {
      const value = values.get(name);
      return value === undefined ? [] : [Number(value)];
    });
    if (numbers.length === 0) return [];
    const value = Math.max(...numbers);
    if (isGood(value)) return [];
    return [{ path, field: settings.join(', '), found: String(value), allowed, effect: 'in force' }];
  });
}

/** How packets get to the reals of a service. */
interface Ways {
  /** Reals that get them by NAT, but for those on this host's loopback. */
  readonly translated: Readonly<Record<Family, readonly IpAddress[]>>;
  /** Some reals answer the client without us. */
  readonly answersElsewhere: boolean;
}

/** A service that an edit left alone is the same object: its reals are looked through once. */
const ways = new WeakMap<DesiredService, Ways>();

function waysTo(service: DesiredService): Ways {
  const known = ways.get(service);
  if (known !== undefined) return known;
  const translated: Record<Family, IpAddress[]> = { ipv4: [], ipv6: [] };
  let answersElsewhere = false;
  for (const { forwarding, address } of Object.values(service.reals)) {
    if (forwarding.method === 'direct' || forwarding.method === 'tunnel') answersElsewhere = true;
    if (forwarding.method === 'nat' && !isLoopback(address)) translated[familyOf(address)].push(address);
  }
  const found = { translated, answersElsewhere };
  ways.set(service, found);
  return found;
}

/** The answers of NAT come to the VIP's clients through us, as forwarded packets. */
function forwardingRules(services: readonly DesiredService[], addresses: readonly InterfaceAddress[]): HostRule[] {
  const own = new Set<string>(addresses.map(({ address }) => address));
  const translated = (family: Family): DesiredService | undefined =>
    services.find((service) => waysTo(service).translated[family].some((address) => !own.has(address)));
  const rules: HostRule[] = [];
  const allowed = '1: with NAT the answers of the reals are dropped here, so no connection comes about';
  for (const [family, setting] of FORWARDING) {
    const service = translated(family);
    if (service === undefined) continue;
    rules.push({ settings: [setting], isGood: (value) => value !== 0, path: pathOf(service), allowed });
  }
  return rules;
}

const FORWARDING = [
  ['ipv4', 'net.ipv4.ip_forward'],
  ['ipv6', 'net.ipv6.conf.all.forwarding'],
] as const;

/** With direct routing and tunnels no answer comes back this way, so the route back says nothing about the way here. */
function reversePathRules(services: readonly DesiredService[], addresses: readonly InterfaceAddress[]): HostRule[] {
  const service = services.find((each) => waysTo(each).answersElsewhere);
  if (service === undefined) return [];
  return linksOf(addresses).map((link) => ({
    settings: settingsOfLink(link, 'rp_filter'),
    isGood: (value) => value !== 1,
    path: pathOf(service),
    allowed: `0 or 2: requests that come in by ${link} are dropped where the route back to the client is another`,
  }));
}

/**
 * A VIP on an interface without neighbours is nobody's on the link; but Linux answers ARP for any address of the host
 * on every interface, and asks with any address as the sender. That matters where the VIP lies in the network of a
 * link, because every director that has the VIP would do so. One rule for each setting: the first VIP stands for all.
 */
function neighbourRules(vips: readonly DesiredVip[], addresses: readonly InterfaceAddress[]): HostRule[] {
  const rules = new Map<string, HostRule>();
  for (const vip of vips) {
    for (const link of addresses) {
      if (link.prefixLength >= 32 || isLoopback(link.address) || familyOf(link.address) !== 'ipv4') continue;
      if (!vip.addresses.some((address) => isInNetwork(link.address, link.prefixLength, address))) continue;
      for (const rule of neighbourRulesOf(link.interface, link.interface === vip.interface)) {
        const key = rule.settings.join();
        if (!rules.has(key)) rules.set(key, { ...rule, path: `config/vips/${vip.name}` });
      }
    }
  }
  return [...rules.values()];
}

/** Interfaces with an IPv4 address, the loopback interface left out. */
function linksOf(addresses: readonly InterfaceAddress[]): string[] {
  const links = addresses.filter(({ address }) => familyOf(address) === 'ipv4').map((each) => each.interface);
  return [...new Set(links)].filter((name) => name !== 'lo');
}

/** As sysctl(8) writes them: a slash for a dot in the name of the interface. */
function settingsOfLink(link: string, name: string): string[] {
  return [`net.ipv4.conf.all.${name}`, `net.ipv4.conf.${link.replaceAll('.', '/')}.${name}`];
}

function neighbourRulesOf(link: string, carriesVip: boolean): Omit<HostRule, 'path'>[] {
  if (carriesVip) {
    const allowed = `0 to 2: nobody on ${link} finds the VIP, as ARP is not answered for it`;
    return [{ settings: settingsOfLink(link, 'arp_ignore'), isGood: (value) => value <= 2, allowed }];
  }
  return [
    {
      settings: settingsOfLink(link, 'arp_ignore'),
      isGood: (value) => value !== 0,
      allowed: `1 or 2: every director with this VIP answers ARP for it on ${link}, although it lies on another interface`,
    },
    {
      settings: settingsOfLink(link, 'arp_announce'),
      isGood: (value) => value === 2,
      allowed: `2: neighbours on ${link} learn the VIP as ours from our own ARP requests`,
    },
  ];
}

/** What the policy of a service needs of IPVS itself; the preset "recommended" sets both. */
function policyRules(services: readonly DesiredService[]): HostRule[] {
  const rules: HostRule[] = [];
  const removing = services.find(({ health, match }) => health.whenDown === 'remove' && mayBeUdp(match));
  if (removing !== undefined) {
    rules.push({
      settings: ['net.ipv4.vs.expire_nodest_conn'],
      isGood: (value) => value !== 0,
      path: pathOf(removing),
      allowed: '1 with whenDown "remove" and UDP: packets of a flow to a removed real are dropped until it times out',
    });
  }
  const persistent = services.find(({ health, persistence }) => persistence !== null && health.whenDown === 'quiesce');
  if (persistent !== undefined) {
    rules.push({
      settings: ['net.ipv4.vs.expire_quiescent_template'],
      isGood: (value) => value !== 0,
      path: pathOf(persistent),
      allowed: '1 with whenDown "quiesce" and persistence: known clients stay with a dead real',
    });
  }
  return rules;
}

function mayBeUdp(match: DesiredService['match']): boolean {
  return match.kind === 'fwmark' || match.protocols.includes('udp');
}

function pathOf({ name }: DesiredService): string {
  return `config/services/${name}`;
}

function isLoopback(address: IpAddress): boolean {
  return address.startsWith('127.') || address === '::1';
}
