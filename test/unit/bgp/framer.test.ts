import { describe, expect, it } from 'vitest';
import { Framer, type RawMessage } from '../../../src/bgp/framer.ts';
import * as wire from '../../fakes/bgp-wire.ts';
import { bytesOf, hexOf, KEEPALIVE, NOTIFICATION, OPEN, ROUTE_REFRESH, UPDATE } from '../../vectors/bgp/captures.ts';

const SESSION = [
  OPEN.bird,
  KEEPALIVE,
  UPDATE.birdIpv4,
  UPDATE.birdIpv6,
  ROUTE_REFRESH.requestIpv4,
  NOTIFICATION.birdShutdown,
];

function again(raw: RawMessage): string {
  return wire.message(raw.type, hexOf(raw.body));
}

describe('framing a byte stream', () => {
  it('yields the same messages wherever the stream is cut in two', () => {
    const stream = bytesOf(SESSION.join(''));
    for (let cut = 0; cut <= stream.length; cut++) {
      const framer = new Framer();
      const texts: string[] = [];
      for (const part of [stream.subarray(0, cut), stream.subarray(cut)]) {
        const { messages, error } = framer.push(part);
        expect(error).toBeNull();
        texts.push(...messages.map(again));
      }
      expect(texts).toEqual(SESSION);
    }
  });

  it('takes one octet at a time', () => {
    const framer = new Framer();
    const texts: string[] = [];
    for (const octet of bytesOf(SESSION.join(''))) texts.push(...framer.push(Uint8Array.of(octet)).messages.map(again));
    expect(texts).toEqual(SESSION);
  });

  it('takes a hundred messages in one read', () => {
    const framed = new Framer().push(bytesOf(UPDATE.birdPlain.repeat(100)));
    expect(framed.messages).toHaveLength(100);
    expect(framed.messages.every((each) => again(each) === UPDATE.birdPlain)).toBe(true);
  });

  it('takes messages of the greatest length and refuses one octet more', () => {
    const longest = wire.message(3, `0602${'00'.repeat(4096 - 21)}`);
    expect(new Framer().push(bytesOf(longest)).messages).toHaveLength(1);
    const longer = wire.message(3, `0602${'00'.repeat(4096 - 20)}`);
    const { messages, error } = new Framer().push(bytesOf(longer));
    expect(messages).toEqual([]);
    expect(error).toMatchObject({ code: 1, subcode: 2, data: Uint8Array.of(0x10, 0x01) });
  });

  it('hands over what came before an error and nothing after it', () => {
    const framer = new Framer();
    const { messages, error } = framer.push(bytesOf(KEEPALIVE + wire.message(9) + KEEPALIVE));
    expect(messages).toHaveLength(1);
    expect(error).toMatchObject({ code: 1, subcode: 3, data: Uint8Array.of(9) });
    expect(framer.push(bytesOf(KEEPALIVE))).toEqual({ messages: [], error: null });
  });

  it('judges the header before the body has come', () => {
    const header = bytesOf(wire.message(2, '', 5000));
    expect(new Framer().push(header).error).toMatchObject({ code: 1, subcode: 2 });
  });
});
