import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/core/bytes.ts';
import { readMessages, writeMessage } from '../../../src/ipvs/netlink/message.ts';
import type { NetlinkMessage, NetlinkRequest } from '../../../src/ipvs/netlink/message.ts';
import { RTM_NEWADDR, RTM_NEWLINK } from '../../../src/ipvs/rtnetlink/constants.ts';
import { addressRequest, readAddress, readLink } from '../../../src/ipvs/rtnetlink/messages.ts';
import { address } from '../../contract/dataplane-samples.ts';
import { fromHex, toHex } from '../../fakes/hex.ts';
import { ADDRESS_CAPTURES } from '../../vectors/rtnetlink-captures.ts';

const NLM_F_REQUEST_ACK = 0x05;

function sentBy(command: string): string {
  const [capture] = ADDRESS_CAPTURES.filter((each) => each.command === command);
  const [hex] = capture?.sent ?? [];
  if (hex === undefined) throw new Error(`no capture of ${command}`);
  // iproute2's sequence and port numbers, put to zero.
  return `${hex.slice(0, 16)}${'0'.repeat(16)}${hex.slice(32)}`;
}

function encoded(request: NetlinkRequest): string {
  const writer = new ByteWriter();
  writeMessage(writer, request, NLM_F_REQUEST_ACK, 0);
  return toHex(writer.finish());
}

function messagesIn(hex: string): NetlinkMessage[] {
  return [...readMessages(fromHex(hex))];
}

/** Header and attributes apart: the kernel does not mind the order of attributes. */
function parts(hex: string): { readonly header: string; readonly attributes: string[] } {
  const attributes: string[] = [];
  for (let at = 48; at < hex.length;) {
    const length = Math.ceil(Number.parseInt(hex.slice(at, at + 2), 16) / 4) * 8;
    attributes.push(hex.slice(at, at + length));
    at += length;
  }
  return { header: hex.slice(8, 48), attributes: attributes.sort() };
}

const LO = { index: 1, name: 'lo' };
/** struct nlattr of five bytes: IFA_PROTO (11) = 118, which this iproute2 has no words for. */
const PROTOCOL = '05000b0076000000';

describe('address requests', () => {
  it('are what `ip address` sends, with our marks', () => {
    const v4 = parts(sentBy('addr add 192.0.2.10/32 dev lo label lo:vk'));
    const ours = parts(encoded(addressRequest('add', LO, address('192.0.2.10'))));
    expect(ours).toEqual({ ...v4, attributes: [...v4.attributes, PROTOCOL].sort() });
    const v6 = parts(sentBy('addr add 2001:db8::10/128 dev lo nodad'));
    const ours6 = parts(encoded(addressRequest('add', LO, address('2001:db8::10'))));
    expect(ours6).toEqual({ ...v6, attributes: [...v6.attributes, PROTOCOL].sort() });
  });

  it('to delete are byte for byte what `ip address` sends', () => {
    expect(encoded(addressRequest('delete', LO, address('192.0.2.10')))).toBe(sentBy('addr del 192.0.2.10/32 dev lo'));
  });

  it('have no label where it would be longer than the kernel takes', () => {
    const long = { index: 1, name: 'enp129s0f1np1' };
    expect(parts(encoded(addressRequest('add', long, address('192.0.2.10')))).attributes.length).toBe(3);
    const fits = { index: 1, name: 'enp129s0f1np' };
    expect(parts(encoded(addressRequest('add', fits, address('192.0.2.10')))).attributes.length).toBe(4);
  });
});

describe('dumps', () => {
  const [show] = ADDRESS_CAPTURES.filter(({ command }) => command === 'addr show');
  const messages = (show?.received ?? []).flatMap(messagesIn);

  it('tell interfaces by number', () => {
    const links = messages.filter(({ type }) => type === RTM_NEWLINK).map(({ payload }) => readLink(payload));
    // IFF_UP, IFF_LOOPBACK, IFF_RUNNING and IFF_LOWER_UP; ARPHRD_LOOPBACK.
    const loopback = { index: 1, name: 'lo', type: 772, flags: 0x1_0049, hardwareAddress: new Uint8Array(6) };
    expect(links).toEqual([loopback]);
  });

  it('tell addresses of both families', () => {
    const found = messages.filter(({ type }) => type === RTM_NEWADDR).map(({ payload }) => readAddress(payload));
    expect(found).toEqual([
      { index: 1, address: '127.0.0.1', prefixLength: 8, marked: false },
      { index: 1, address: '2001:db8::10', prefixLength: 128, marked: false },
      { index: 1, address: '::1', prefixLength: 128, marked: false },
    ]);
  });

  it('know our marks again', () => {
    const marked = [
      // As above, with a label and without; the last is the protocol of the kernel's own ::1.
      `022080000100000008000100c000020a0a0003006c6f3a766b000000`,
      `0a808000010000001400010020010db8000000000000000000000010${PROTOCOL}`,
      `0a80800001000000140001000000000000000000000000000000000105000b0001000000`,
    ];
    expect(marked.map((hex) => readAddress(new ByteReader(fromHex(hex)))?.marked)).toEqual([true, true, false]);
  });
});
