import type { CodedError } from '../../core/errors.ts';
import { ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { IpAddress } from '../../model/address.ts';

/** An address that an interface of this host has. */
export interface HeldAddress {
  readonly interface: string;
  readonly address: IpAddress;
}

/** `noNeighbors`: on such an interface nobody asks for hardware addresses (loopback, dummy, tunnels). */
export type Announced = 'sent' | 'noNeighbors';

/** The port to the neighbours: hosts on the same link, which remember the hardware address behind each IP address. */
export interface NeighborAnnouncer {
  /**
   * Tells them once that the addresses are here.
   * @returns what became of each, in order
   */
  announce(addresses: readonly HeldAddress[]): Promise<readonly Result<Announced, CodedError>[]>;
  close(): Promise<void>;
}

/** For a dry run. */
export const noNeighbors: NeighborAnnouncer = {
  announce: (addresses) => Promise.resolve(addresses.map(() => ok('noNeighbors'))),
  close: () => Promise.resolve(),
};
