import type { PeerSettings, Route, SpeakerSettings } from '../../src/bgp/port.ts';
import { RouteMemory } from '../../src/bgp/route-delta.ts';
import { RouteTable } from '../../src/bgp/route-table.ts';
import { type IpAddress, parseAddress } from '../../src/model/address.ts';

export function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`not an address: ${text}`);
  return parsed;
}

export function route(text: string, attributes: Partial<Route> = {}): Route {
  return {
    address: address(text),
    communities: [],
    largeCommunities: [],
    med: null,
    prepend: 0,
    localPref: null,
    peers: null,
    ...attributes,
  };
}

/** A router of AS 65000 that is reached from 127.0.0.2, with next hops that routers take. */
export function peerSettings(over: Partial<PeerSettings> = {}): PeerSettings {
  return {
    name: 'tor1',
    address: address('127.0.0.11'),
    port: 179,
    asn: 65000,
    password: null,
    ttlSecurityHops: null,
    ttl: null,
    localAddress: address('127.0.0.2'),
    nextHopIpv4: address('198.51.100.2'),
    nextHopIpv6: address('fd00:5::2'),
    holdTimeMs: 9000,
    connectRetryMs: 5000,
    ...over,
  };
}

export function speakerSettings(over: Partial<SpeakerSettings> = {}): SpeakerSettings {
  return {
    asn: 65001,
    routerId: address('10.0.0.2'),
    gracefulRestartMs: 30_000,
    restarting: false,
    peers: [peerSettings()],
    ...over,
  };
}

/** A table that takes whole sets, as the speaker's port does. */
export class WholeTable extends RouteTable {
  readonly #memory = new RouteMemory();

  replace(routes: readonly Route[]): IpAddress[] {
    return this.apply(this.#memory.change(routes));
  }
}
