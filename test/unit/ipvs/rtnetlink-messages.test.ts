import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../src/core/bytes.ts';
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

describe('address requests', () => {
  it('are byte for byte what `ip address` sends', () => {
    const v4 = address('192.0.2.10');
    expect(encoded(addressRequest('add', 1, v4))).toBe(sentBy('addr add 192.0.2.10/32 dev lo'));
    expect(encoded(addressRequest('delete', 1, v4))).toBe(sentBy('addr del 192.0.2.10/32 dev lo'));
    const v6 = address('2001:db8::10');
    expect(encoded(addressRequest('add', 1, v6))).toBe(sentBy('addr add 2001:db8::10/128 dev lo nodad'));
  });
});

describe('dumps', () => {
  const [show] = ADDRESS_CAPTURES.filter(({ command }) => command === 'addr show');
  const messages = (show?.received ?? []).flatMap(messagesIn);

  it('tell interfaces by number', () => {
    const links = messages.filter(({ type }) => type === RTM_NEWLINK).map(({ payload }) => readLink(payload));
    expect(links).toEqual([{ index: 1, name: 'lo' }]);
  });

  it('tell addresses of both families', () => {
    const found = messages.filter(({ type }) => type === RTM_NEWADDR).map(({ payload }) => readAddress(payload));
    expect(found).toEqual([
      { index: 1, address: '127.0.0.1', prefixLength: 8 },
      { index: 1, address: '2001:db8::10', prefixLength: 128 },
      { index: 1, address: '::1', prefixLength: 128 },
    ]);
  });
});
