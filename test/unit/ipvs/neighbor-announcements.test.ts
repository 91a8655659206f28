import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { err, ok } from '../../../src/core/result.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { arpAnnouncement } from '../../../src/ipvs/announce/arp-announcement.ts';
import { internetChecksum } from '../../../src/ipvs/announce/internet-checksum.ts';
import { LinkAnnouncer } from '../../../src/ipvs/announce/link-announcer.ts';
import { unsolicitedAdvertisement } from '../../../src/ipvs/announce/neighbor-advertisement.ts';
import { untold } from '../../../src/ipvs/announce/packet-socket.ts';
import type { PacketSocket } from '../../../src/ipvs/announce/packet-socket.ts';
import { errnoOf } from '../../../src/ipvs/kernel-refusal.ts';
import { NETLINK_ROUTE } from '../../../src/ipvs/netlink/constants.ts';
import { socketTransport } from '../../../src/ipvs/netlink/socket-transport.ts';
import { addressFromBytes } from '../../../src/model/address.ts';
import { address } from '../../contract/dataplane-samples.ts';
import { fromHex, toHex } from '../../fakes/hex.ts';
import { runs } from '../../fakes/property.ts';
import { GRATUITOUS_ARP, HARDWARE_ADDRESS, UNSOLICITED_ADVERTISEMENTS } from '../../vectors/neighbor-captures.ts';

const OWN = fromHex(HARDWARE_ADDRESS);

const octets = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });

describe('a gratuitous ARP', () => {
  it('is the one that Linux sends', () => {
    const frame = arpAnnouncement(OWN, address(GRATUITOUS_ARP.address));
    expect([toHex(frame.bytes), frame.protocol]).toEqual([GRATUITOUS_ARP.frame, 0x0806]);
  });
});

describe('an unsolicited neighbor advertisement', () => {
  it.each(UNSOLICITED_ADVERTISEMENTS)('for $address is the one that Linux sends', ({ address: text, frame }) => {
    const ours = unsolicitedAdvertisement(OWN, address(text));
    expect([toHex(ours.bytes), ours.protocol]).toEqual([frame, 0x86dd]);
  });

  it('has a checksum that the receiver finds right, whatever the addresses', () => {
    const property = fc.property(octets(6), octets(16), (source, own) => {
      const { bytes } = unsolicitedAdvertisement(source, addressFromBytes(own));
      const message = bytes.subarray(54);
      // Source and destination as they are in the frame, the length of the message, and next header 58.
      const covered = [...bytes.subarray(22, 54), 0, 0, 0, message.length, 0, 0, 0, 58, ...message];
      expect(sumOfWords(covered)).toBe(0xffff);
    });
    fc.assert(property, runs(200));
  });
});

/** RFC 1071 section 1, the slow way: all words first, then the carries. */
function sumOfWords(bytes: readonly number[]): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) sum += (bytes[at] ?? 0) * 256 + (bytes[at + 1] ?? 0);
  while (sum > 0xffff) sum = (sum % 0x1_0000) + Math.floor(sum / 0x1_0000);
  return sum;
}

describe('the Internet checksum', () => {
  it('is that of the example in RFC 1071 section 3', () => {
    expect(internetChecksum(fromHex('0001f203f4f5f6f7'))).toBe(0xffff - 0xddf2);
  });

  it('takes a last odd byte for the upper half of a word', () => {
    expect(internetChecksum(fromHex('0001f2'))).toBe(0xffff - 0xf201);
  });
});

// Every kernel tells its interfaces to everybody, and every network namespace has lo.
describe('the announcer', () => {
  function announcer(packets: PacketSocket | null) {
    let opened = 0;
    const subject = new LinkAnnouncer({
      open: socketTransport(NETLINK_ROUTE, systemClock),
      openPackets: () => {
        opened++;
        return packets === null ? err(untold('EPERM')) : ok(packets);
      },
      clock: systemClock,
    });
    return { subject, opened: () => opened };
  }

  it('tells nobody on loopback, and needs no socket for it', async () => {
    const { subject, opened } = announcer(null);
    const outcomes = await subject.announce([{ interface: 'lo', address: address('192.0.2.10') }]);
    expect([outcomes, opened()]).toEqual([[ok('noNeighbors')], 0]);
    await subject.close();
  });

  it('says that an interface is not there, and goes on', async () => {
    const { subject } = announcer(null);
    const outcomes = await subject.announce([
      { interface: 'nosuch0', address: address('192.0.2.10') },
      { interface: 'lo', address: address('2001:db8::10') },
    ]);
    expect(outcomes.map((each) => (each.ok ? each.value : errnoOf(each.error)))).toEqual(['ENODEV', 'noNeighbors']);
    await subject.close();
  });
});
