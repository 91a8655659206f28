import { closeSync } from 'node:fs';
import type { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { KernelRefusal } from '../kernel-refusal.ts';
import { loadLibc } from '../libc.ts';
import type { Libc } from '../libc.ts';
import { AF_PACKET, SOCK_CLOEXEC, SOCK_NONBLOCK, SOCK_RAW } from '../netlink/constants.ts';
import { errnoMeaning, errnoName } from '../netlink/errno.ts';
import type { EthernetFrame } from './ethernet.ts';

/** Sends whole frames out of one interface or another; whoever opened it closes it. */
export interface PacketSocket {
  /** @param index of the interface, as in IFLA */
  send(index: number, frame: EthernetFrame): Result<void, CodedError>;
  close(): void;
}

/** Asked for no protocol, the kernel gives nothing to read (packet(7)): it only sends. */
const NO_PROTOCOL = 0;
const SOCKADDR_LL_BYTES = 20;

/** Needs CAP_NET_RAW. */
export function openPacketSocket(): Result<PacketSocket, CodedError> {
  const loaded = loadLibc();
  if (!loaded.ok) return loaded;
  const libc = loaded.value;
  const fd = libc.socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NO_PROTOCOL);
  if (fd < 0) return err(refusal(libc));
  return ok({
    send: (index, { protocol, bytes }) => {
      const address = linkAddress(index, protocol);
      const sent = libc.sendto(fd, bytes, bytes.length, 0, address, address.length);
      return sent < 0 ? err(refusal(libc)) : ok(undefined);
    },
    close: () => {
      closeSync(fd);
    },
  });
}

/**
 * struct sockaddr_ll (include/uapi/linux/if_packet.h): u16 family, be16 protocol, i32 ifindex; then what only the
 * kernel fills in, as the frame has its own header.
 */
function linkAddress(index: number, protocol: number): Uint8Array {
  const bytes = new Uint8Array(SOCKADDR_LL_BYTES);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, AF_PACKET, true);
  view.setUint16(2, protocol, false);
  view.setInt32(4, index, true);
  return bytes;
}

function refusal({ errno }: Libc): KernelRefusal {
  return untold(errnoName(errno()));
}

/** Neighbours could not be told, with what can be done about it. */
export function untold(errno: string): KernelRefusal {
  return new KernelRefusal(errno, `${errno}, ${advice(errno)}`, { code: 'NEIGHBORS_NOT_TOLD' });
}

function advice(errno: string): string {
  switch (errno) {
    case 'EPERM':
    case 'EACCES':
      return 'the agent needs CAP_NET_RAW in this network namespace';
    case 'EAFNOSUPPORT':
      return 'packet sockets are not allowed here (AF_PACKET in RestrictAddressFamilies of the unit)';
    case 'ENXIO':
      return errnoMeaning('ENODEV');
    case 'ENOBUFS':
      return 'the queue of the interface is full';
    default:
      return errnoMeaning(errno);
  }
}
