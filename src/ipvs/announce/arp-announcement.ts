import { ByteWriter } from '../../core/bytes.ts';
import { addressBytes } from '../../model/address.ts';
import type { IpAddress } from '../../model/address.ts';
import { ARPHRD_ETHER } from '../rtnetlink/constants.ts';
import { ETH_ALEN, ETH_P_ARP, writeEthernetHeader } from './ethernet.ts';
import type { EthernetFrame } from './ethernet.ts';

const BROADCAST = new Uint8Array(ETH_ALEN).fill(0xff);
/** include/uapi/linux/if_ether.h: the protocol whose addresses are resolved is IPv4. */
const ETH_P_IP = 0x0800;
const IPV4_BYTES = 4;
/** RFC 826: ares_op$REQUEST. */
const ARPOP_REQUEST = 1;

/*
 * RFC 826: u16 hardware type, u16 protocol type, u8 hardware length, u8 protocol length, u16 operation; sender's
 * hardware and protocol address, target's hardware and protocol address.
 */

/**
 * An ARP Announcement (RFC 5227 section 2.3), known as gratuitous ARP: a broadcast request in which sender and target
 * are the address itself, and the target's hardware address is nothing. Whoever has an entry for it takes the new one.
 * @param source the interface's hardware address, six bytes
 * @param address IPv4
 */
export function arpAnnouncement(source: Uint8Array, address: IpAddress): EthernetFrame {
  const own = addressBytes(address);
  const writer = new ByteWriter(42);
  writeEthernetHeader(writer, BROADCAST, source, ETH_P_ARP);
  writer.u16be(ARPHRD_ETHER).u16be(ETH_P_IP).u8(ETH_ALEN).u8(IPV4_BYTES).u16be(ARPOP_REQUEST);
  writer.bytes(source).bytes(own);
  writer.zeros(ETH_ALEN).bytes(own);
  return { protocol: ETH_P_ARP, bytes: writer.finish() };
}
