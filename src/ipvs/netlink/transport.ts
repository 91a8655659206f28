import type { CodedError } from '../../core/errors.ts';
import type { Result } from '../../core/result.ts';

/** What a transport tells its owner. */
export interface TransportEvents {
  /**
   * One datagram; its bytes are valid only until this returns.
   * @returns whether another one is awaited; after a no the transport looks no further before the next send
   */
  onDatagram(datagram: Uint8Array): boolean;
  /**
   * The transport broke, for good: replies that were under way are lost (ENOBUFS, a closed socket). Nothing is
   * delivered afterwards.
   */
  onFailure(error: CodedError): void;
}

/** A bound netlink socket. Tests put a kernel of their own behind it. */
export interface NetlinkTransport {
  /** What all answers that nobody has taken yet may fill, the kernel's own overhead included; beyond it they are lost. */
  readonly receiveBufferBytes: number;
  /**
   * Sends one datagram of whole messages. The kernel has handled it once this returns; what it answers is delivered in
   * a later turn of the event loop.
   */
  send(datagram: Uint8Array): void;
  /** Ends the socket; no event follows. */
  close(): void;
}

export type OpenTransport = (events: TransportEvents) => Result<NetlinkTransport, CodedError>;
