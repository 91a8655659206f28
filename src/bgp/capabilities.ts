import { type ByteReader, ByteWriter, DecodeError } from '../core/bytes.ts';
import type { Family } from '../model/address.ts';
import { Afi, Capability, MAX_RESTART_TIME_S, SAFI_UNICAST } from './constants.ts';
import { FAMILIES, familyOfAfi } from './family.ts';

/** RFC 4724 section 3, as we offer it. */
export interface RestartOffer {
  readonly restartTimeS: number;
  /** The R bit: we have just restarted. */
  readonly restarting: boolean;
}

export interface LocalCapabilities {
  readonly asn: number;
  /** null = the graceful restart capability is not offered. */
  readonly gracefulRestart: RestartOffer | null;
}

export interface PeerCapabilities {
  /** null = no multiprotocol capability at all, which means IPv4 unicast alone (RFC 4760 section 8). */
  readonly families: readonly Family[] | null;
  readonly fourOctetAs: number | null;
  readonly routeRefresh: boolean;
  readonly enhancedRouteRefresh: boolean;
  /** The families for which the peer keeps our routes over a restart, and for how long; null = it does not. */
  readonly gracefulRestart: { readonly restartTimeS: number; readonly restarting: boolean } | null;
}

const R_BIT = 0x8000;
const F_BIT = 0x80;

/**
 * Every capability that we offer, as RFC 5492 section 4 lays them out: code (1), length (1), value. The F bit is
 * always set: the kernel forwards whether or not this process runs. The N bit of RFC 8538 never is: with it, routers
 * keep the routes of a dead host until the restart time is over.
 */
export function encodeCapabilities(local: LocalCapabilities): Uint8Array {
  const w = new ByteWriter(64);
  w.bytes(encodeMultiprotocol());
  w.u8(Capability.routeRefresh).u8(0);
  if (local.gracefulRestart !== null) {
    const { restartTimeS, restarting } = local.gracefulRestart;
    w.u8(Capability.gracefulRestart).u8(2 + 4 * FAMILIES.length);
    w.u16be((restarting ? R_BIT : 0) | Math.min(restartTimeS, MAX_RESTART_TIME_S));
    for (const family of FAMILIES) w.u16be(Afi[family]).u8(SAFI_UNICAST).u8(F_BIT);
  }
  w.u8(Capability.fourOctetAs).u8(4).u32be(local.asn);
  w.u8(Capability.enhancedRouteRefresh).u8(0);
  return w.finish();
}

/** AFI (2), reserved (1), SAFI (1) for each family: RFC 4760 section 8. */
export function encodeMultiprotocol(): Uint8Array {
  const w = new ByteWriter(16);
  for (const family of FAMILIES) w.u8(Capability.multiprotocol).u8(4).u16be(Afi[family]).u8(0).u8(SAFI_UNICAST);
  return w.finish();
}

interface Gathered {
  families: Set<Family>;
  multiprotocol: boolean;
  fourOctetAs: number | null;
  routeRefresh: boolean;
  enhancedRouteRefresh: boolean;
  gracefulRestart: PeerCapabilities['gracefulRestart'];
}

/** Collects capabilities over any number of optional parameters. */
export class CapabilityReader {
  readonly #found: Gathered = {
    families: new Set(),
    multiprotocol: false,
    fourOctetAs: null,
    routeRefresh: false,
    enhancedRouteRefresh: false,
    gracefulRestart: null,
  };

  /** @throws DecodeError when a length lies, or is impossible for a capability that we know */
  read(parameter: ByteReader): void {
    while (parameter.remaining > 0) {
      const code = parameter.u8();
      this.#one(code, parameter.fenced(parameter.u8()));
    }
  }

  finish(): PeerCapabilities {
    const { multiprotocol, families, ...rest } = this.#found;
    return { ...rest, families: multiprotocol ? FAMILIES.filter((each) => families.has(each)) : null };
  }

  /** A code that we do not know is skipped: RFC 5492 section 3. */
  #one(code: number, value: ByteReader): void {
    const found = this.#found;
    if (code === Capability.multiprotocol) {
      const afi = value.u16be();
      value.skip(1);
      const family = familyOfAfi(afi, value.u8());
      value.expectEnd('multiprotocol capability');
      found.multiprotocol = true;
      if (family !== undefined) found.families.add(family);
    } else if (code === Capability.fourOctetAs) {
      const asn = value.u32be();
      value.expectEnd('four-octet AS capability');
      found.fourOctetAs ??= asn;
    } else if (code === Capability.gracefulRestart) {
      found.gracefulRestart = readGracefulRestart(value);
    } else if (code === Capability.routeRefresh) {
      found.routeRefresh = true;
    } else if (code === Capability.enhancedRouteRefresh) {
      found.enhancedRouteRefresh = true;
    }
  }
}

/** RFC 4724 section 3: of several, the last counts. */
function readGracefulRestart(value: ByteReader): PeerCapabilities['gracefulRestart'] {
  const head = value.u16be();
  if (value.remaining % 4 !== 0) throw new DecodeError('graceful restart capability of odd length', value.offset);
  return { restarting: (head & R_BIT) !== 0, restartTimeS: head & MAX_RESTART_TIME_S };
}
