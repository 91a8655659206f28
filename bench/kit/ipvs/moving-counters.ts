import type { OpenTransport } from '../../../src/ipvs/netlink/transport.ts';
import { openTransport } from './surroundings.ts';

/** struct nlattr of IPVS_STATS_ATTR_OUTBPS in IPVS_*_ATTR_STATS64, the last of an entry; its value ends the message. */
const LAST_COUNTER_HEADER = 0x000a_000c;
const LAST_COUNTER_BYTES = 12;

/**
 * A kernel that is busy as far as a reader can tell: on its way, a counter of every entry of a dump is altered. No
 * client could move all of 10,000 reals between two readings of a machine in software.
 */
export class MovingCounters {
  moving = false;
  /** Entries that were altered so far. */
  altered = 0;

  readonly open: OpenTransport = (events) =>
    openTransport({
      ...events,
      onDatagram: (datagram) => {
        if (this.moving) this.#alter(new DataView(datagram.buffer, datagram.byteOffset, datagram.byteLength));
        return events.onDatagram(datagram);
      },
    });

  #alter(datagram: DataView): void {
    for (let at = 0; at < datagram.byteLength;) {
      const length = datagram.getUint32(at, true);
      const last = at + length - LAST_COUNTER_BYTES;
      if (last > at && datagram.getUint32(last, true) === LAST_COUNTER_HEADER) {
        this.altered++;
        datagram.setUint32(last + 4, this.altered, true);
      }
      at += (length + 3) & ~3;
    }
  }
}
