import type { CodedError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { familyOf } from '../../model/address.ts';
import type { IpAddress } from '../../model/address.ts';
import { NetlinkClient } from '../netlink/client.ts';
import type { OpenTransport } from '../netlink/transport.ts';
import { ARPHRD_ETHER, IFF_LOOPBACK, IFF_NOARP, IFF_RUNNING } from '../rtnetlink/constants.ts';
import { readLinks } from '../rtnetlink/messages.ts';
import type { Link } from '../rtnetlink/messages.ts';
import { arpAnnouncement } from './arp-announcement.ts';
import { ETH_ALEN } from './ethernet.ts';
import type { EthernetFrame } from './ethernet.ts';
import { unsolicitedAdvertisement } from './neighbor-advertisement.ts';
import type { Announced, HeldAddress, NeighborAnnouncer } from './neighbor-announcer.ts';
import { untold } from './packet-socket.ts';
import type { PacketSocket } from './packet-socket.ts';

interface LinkAnnouncerDeps {
  /** Of rtnetlink. */
  readonly open: OpenTransport;
  readonly openPackets: () => Result<PacketSocket, CodedError>;
  readonly clock: Clock;
}

/** Announces addresses by frames on the links themselves: gratuitous ARP and unsolicited neighbor advertisements. */
export class LinkAnnouncer implements NeighborAnnouncer {
  readonly #client: NetlinkClient;
  readonly #openPackets: LinkAnnouncerDeps['openPackets'];

  constructor(deps: LinkAnnouncerDeps) {
    this.#client = new NetlinkClient(deps);
    this.#openPackets = deps.openPackets;
  }

  async announce(addresses: readonly HeldAddress[]): Promise<readonly Result<Announced, CodedError>[]> {
    // Read each time: a bond or a bridge may have another hardware address by now.
    const links = await readLinks(this.#client);
    if (!links.ok) return addresses.map(() => links);
    let packets: Result<PacketSocket, CodedError> | null = null;
    try {
      return addresses.map((held) => {
        const link = links.value.get(held.interface);
        if (link === undefined) return err(untold('ENODEV'));
        if (!hasNeighbors(link)) return ok('noNeighbors');
        // The kernel would take the frame and drop it.
        if ((link.flags & IFF_RUNNING) === 0) return err(untold('ENETDOWN'));
        packets ??= this.#openPackets();
        if (!packets.ok) return packets;
        const sent = packets.value.send(link.index, announcement(link.hardwareAddress, held.address));
        return sent.ok ? ok('sent') : sent;
      });
    } finally {
      closePackets(packets);
    }
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

function closePackets(packets: Result<PacketSocket, CodedError> | null): void {
  if (packets?.ok === true) packets.value.close();
}

/** Whether hosts on the link ask for the hardware address behind an IP address, in a form that we can answer. */
function hasNeighbors({ type, flags, hardwareAddress }: Link): boolean {
  return type === ARPHRD_ETHER && hardwareAddress.length === ETH_ALEN && (flags & (IFF_LOOPBACK | IFF_NOARP)) === 0;
}

function announcement(source: Uint8Array, address: IpAddress): EthernetFrame {
  return familyOf(address) === 'ipv4' ? arpAnnouncement(source, address) : unsolicitedAdvertisement(source, address);
}
