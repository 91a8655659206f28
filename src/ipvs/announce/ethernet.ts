import type { ByteWriter } from '../../core/bytes.ts';

/** include/uapi/linux/if_ether.h: what the frame carries. */
export const ETH_P_ARP = 0x0806;
export const ETH_P_IPV6 = 0x86dd;
export const ETH_ALEN = 6;

/** A frame as it goes on the wire, less what the card adds: padding and check sequence. */
export interface EthernetFrame {
  /** ETH_P_* */
  readonly protocol: number;
  readonly bytes: Uint8Array;
}

/** u48 destination, u48 source, u16 type (RFC 894, RFC 2464 section 3). */
export function writeEthernetHeader(
  writer: ByteWriter,
  destination: Uint8Array,
  source: Uint8Array,
  protocol: number,
): void {
  writer.bytes(destination).bytes(source).u16be(protocol);
}
