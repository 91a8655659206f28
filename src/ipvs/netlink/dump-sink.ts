import type { NetlinkMessage } from './message.ts';

/** Takes the entries of a dump. A pass that was interrupted is followed by another one, from index 0 on. */
export interface DumpSink {
  /** @throws DecodeError */
  take(message: NetlinkMessage, index: number): void;
  /**
   * Looks at a whole datagram before it is taken apart.
   * @param sequence that of the messages of this dump; any others are not of it
   * @param index of the first entry in it
   * @returns how many entries it consists of, if all are known; 0 = `take` wants each
   */
  takeKnown?(datagram: Uint8Array, sequence: number, index: number): number;
}
