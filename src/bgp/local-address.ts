import type { NetworkInterfaceInfo } from 'node:os';
import { err, ok, type Result } from '../core/result.ts';
import {
  addressBytes,
  compareAddresses,
  type Family,
  familyOf,
  type IpAddress,
  parseAddress,
} from '../model/address.ts';
import { addressLength, familyName } from './family.ts';
import type { PeerSettings } from './port.ts';

/** As `os.networkInterfaces()` answers. */
export type Interfaces = Readonly<Record<string, readonly NetworkInterfaceInfo[] | undefined>>;

export interface NextHopSources {
  readonly peer: Pick<PeerSettings, 'address' | 'nextHopIpv4' | 'nextHopIpv6'>;
  /** Our end of the session. */
  readonly localAddress: IpAddress;
  readonly interfaces: Interfaces;
  /** Whether an address is one that we announce: traffic to it may arrive on any agent, so it leads nowhere. */
  readonly isAnnounced: (address: IpAddress) => boolean;
}

/**
 * The next hop for a family: the configured one; else our end of the session where the family is the same; else an
 * address of the same interface. A next hop that routers refuse is never sent: FRR resets the session for it.
 * @returns the address, or why there is none
 */
export function chooseNextHop(family: Family, from: NextHopSources): Result<IpAddress, string> {
  const configured = family === 'ipv4' ? from.peer.nextHopIpv4 : from.peer.nextHopIpv6;
  if (configured !== null) return usable(configured, 'the configured next hop', family, from);
  if (familyOf(from.localAddress) === family) return usable(from.localAddress, "the session's address", family, from);
  const candidate = neighbouringAddresses(family, from).find((address) => refusal(address, family, from) === null);
  if (candidate !== undefined) return ok(candidate);
  const where = `the interface of ${from.localAddress} has no usable ${familyName(family)} address`;
  return err(`no next hop for ${familyName(family)}: ${where}, and none is configured`);
}

function usable(address: IpAddress, what: string, family: Family, from: NextHopSources): Result<IpAddress, string> {
  const reason = refusal(address, family, from);
  return reason === null ? ok(address) : err(`no next hop for ${familyName(family)}: ${what} ${address} ${reason}`);
}

/** Why routers would refuse or misuse this next hop (RFC 4271 section 6.3, RFC 2545 section 3). */
function refusal(address: IpAddress, family: Family, from: NextHopSources): string | null {
  if (familyOf(address) !== family) return 'is of the other family';
  if (address === from.peer.address) return "is the peer's own";
  if (from.isAnnounced(address)) return 'is itself an announced route';
  return family === 'ipv4' ? refusalOfIpv4(address) : refusalOfIpv6(address);
}

function refusalOfIpv4(address: IpAddress): string | null {
  const [first = 0, second] = addressBytes(address);
  if (first === 0) return 'is in 0.0.0.0/8';
  if (first === 127) return 'is a loopback address';
  if (first >= 224) return 'is a multicast or reserved address';
  if (first === 169 && second === 254) return 'is link-local';
  return null;
}

function refusalOfIpv6(address: IpAddress): string | null {
  const bytes = addressBytes(address);
  const [first = 0, second = 0] = bytes;
  if (address === '::' || address === '::1') return 'is the unspecified or the loopback address';
  if (first === 0xff) return 'is a multicast address';
  if (first === 0xfe && second >> 6 === 2) return 'is link-local';
  return null;
}

/** Addresses on the interface of the session. Host-sized ones come last: such are VIPs, announced at present or not. */
function neighbouringAddresses(family: Family, from: NextHopSources): IpAddress[] {
  const hostBits = String(addressLength(family) * 8);
  const found: { readonly address: IpAddress; readonly isHost: boolean }[] = [];
  for (const infos of Object.values(from.interfaces)) {
    if (infos?.some((info) => parseAddress(info.address) === from.localAddress) !== true) continue;
    for (const info of infos) {
      const address = parseAddress(info.address);
      if (address === undefined || familyOf(address) !== family) continue;
      found.push({ address, isHost: info.cidr?.endsWith(`/${hostBits}`) === true });
    }
  }
  found.sort((a, b) => Number(a.isHost) - Number(b.isHost) || compareAddresses(a.address, b.address));
  return found.map((each) => each.address);
}
