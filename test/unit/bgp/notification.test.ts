import { describe, expect, it } from 'vitest';
import {
  decodeNotification,
  describeNotification,
  encodeKeepalive,
  encodeNotification,
  encodeShutdownText,
} from '../../../src/bgp/notification.ts';
import { bytesOf, hexOf, KEEPALIVE, NOTIFICATION } from '../../vectors/bgp/captures.ts';

function described(hex: string): string {
  return describeNotification(decodeNotification(bytesOf(hex).subarray(19)));
}

describe('NOTIFICATION', () => {
  it('of real routers is read and put into words', () => {
    expect(described(NOTIFICATION.birdShutdown)).toBe('Cease / Administrative Shutdown (6/2): maintenance CHG-1234');
    expect(described(NOTIFICATION.frrShutdown)).toBe('Cease / Administrative Shutdown (6/2): wartung ümlaut');
    expect(described(NOTIFICATION.birdHoldExpired)).toBe('Hold Timer Expired (4/0)');
    expect(described(NOTIFICATION.gobgpDeconfigured)).toBe('Cease / Peer De-configured (6/3)');
  });

  it('is written as BIRD and FRR write it', () => {
    const shutdown = (text: string): string =>
      hexOf(encodeNotification({ code: 6, subcode: 2, data: encodeShutdownText(text) }));
    expect(shutdown('maintenance CHG-1234')).toBe(NOTIFICATION.birdShutdown);
    expect(shutdown('wartung ümlaut')).toBe(NOTIFICATION.frrShutdown);
    expect(hexOf(encodeNotification({ code: 4, subcode: 0, data: new Uint8Array(0) }))).toBe(
      NOTIFICATION.birdHoldExpired,
    );
    expect(hexOf(encodeKeepalive())).toBe(KEEPALIVE);
  });

  it('cuts a shutdown text between characters at 255 octets', () => {
    const data = encodeShutdownText('ü'.repeat(200));
    expect(data[0]).toBe(254);
    expect(new TextDecoder('utf-8', { fatal: true }).decode(data.subarray(1))).toBe('ü'.repeat(127));
  });

  it('keeps control characters out of both sides of a log', () => {
    expect(new TextDecoder().decode(encodeShutdownText('a\nb\u0007c').subarray(1))).toBe('a b c');
    const forged = Uint8Array.of(5, 0x61, 0x0a, 0x62, 0x1b, 0x63);
    expect(describeNotification({ code: 6, subcode: 2, data: forged })).toContain(': a.b.c');
  });

  it.each([
    ['no data', []],
    ['a length beyond the data', [200, 0x61]],
    ['an empty text', [0]],
  ])('with %s is described without a text', (_, data) => {
    const content = { code: 6, subcode: 2, data: Uint8Array.from(data) };
    expect(describeNotification(content)).toBe('Cease / Administrative Shutdown (6/2)');
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8, 9, 10])('puts Cease subcode %i into words', (subcode) => {
    const text = describeNotification({ code: 6, subcode, data: new Uint8Array(0) });
    expect(text).toMatch(/^Cease \/ [A-Z][A-Za-z -]+ \(6\/\d+\)$/);
  });

  it('describes what it does not know by its numbers', () => {
    expect(describeNotification({ code: 99, subcode: 7, data: new Uint8Array(0) })).toBe('Unknown Error (99/7)');
    expect(describeNotification({ code: 6, subcode: 77, data: new Uint8Array(0) })).toBe('Cease (6/77)');
  });

  it('never exceeds the longest message', () => {
    expect(encodeNotification({ code: 7, subcode: 1, data: new Uint8Array(9000) })).toHaveLength(4096);
  });
});
