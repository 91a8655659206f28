import type { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import type { IpAddress } from '../model/address.ts';
import type { Protocol, ServiceKey } from './dataplane.ts';

/** Packets that get a firewall mark, for the services that are chosen by it. */
export interface PacketMark {
  readonly fwmark: number;
  readonly address: IpAddress;
  readonly protocol: Protocol;
  /** Inclusive, sorted, neither overlapping nor adjacent; empty = every port. */
  readonly ports: readonly { readonly first: number; readonly last: number }[];
}

/** The port to the rules that mark packets. Level-triggered: it takes the whole wanted set. */
export interface PacketMarks {
  /**
   * Makes the marks those that are wanted. Of others that it finds, those of kernel services in `leaving` stay: their
   * last connections need them.
   * @returns whether anything had to be changed
   */
  apply(wanted: readonly PacketMark[], leaving: ReadonlySet<ServiceKey>): Promise<Result<boolean, CodedError>>;
}

/** For a dry run. */
export const noPacketMarks: PacketMarks = { apply: () => Promise.resolve({ ok: true, value: false }) };
