import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Framer } from '../../../src/bgp/framer.ts';
import { hear } from '../../../src/bgp/inbox.ts';
import { describeNotification, encodeNotification, type Notification } from '../../../src/bgp/notification.ts';
import type { BgpState } from '../../../src/bgp/port.ts';
import { address } from '../../fakes/bgp-settings.ts';
import * as w from '../../fakes/bgp-wire.ts';
import { runs } from '../../fakes/property.ts';
import { bytesOf, NOTIFICATION, OPEN, ROUTE_REFRESH, UPDATE } from '../../vectors/bgp/captures.ts';

const STATES: readonly BgpState[] = ['openSent', 'openConfirm', 'established'];
const SEEDS = [
  ...Object.values(OPEN),
  ...Object.values(UPDATE),
  ...Object.values(NOTIFICATION),
  ...Object.values(ROUTE_REFRESH),
  w.open(),
  w.update({ attributes: w.GOOD_ATTRIBUTES + w.attribute(0xc0, 8, 'fde80064') + w.attribute(0x80, 4, '00000001') }),
].map(bytesOf);

const LOCAL = { asn: 65001, routerId: address('10.0.0.2'), holdTimeS: 9, gracefulRestart: null };
const NEGOTIATED = {
  peerRouterId: address('10.0.0.1'),
  holdTimeS: 9,
  fourOctetAs: true,
  families: ['ipv4', 'ipv6'] as const,
  enhancedRouteRefresh: true,
  gracefulRestart: false,
};

const CODES = new Set([1, 2, 3, 5, 7]);

function checkNotification(content: Notification): void {
  expect(CODES.has(content.code)).toBe(true);
  expect(encodeNotification(content).length).toBeLessThanOrEqual(4096);
  expect(describeNotification(content)).not.toBe('');
}

/** Reads a stream in every state; nothing may be thrown, and whatever goes out must be a NOTIFICATION we know. */
function survive(bytes: Uint8Array): void {
  for (const state of STATES) {
    const { messages, error } = new Framer().push(bytes);
    if (error !== null) checkNotification(error);
    for (const message of messages) {
      const negotiated = state === 'openSent' ? null : NEGOTIATED;
      const heard = hear(message, { state, peerAsn: 65000, offered: LOCAL, negotiated });
      if (heard.event?.kind === 'error') checkNotification(heard.event.notification);
      if (heard.event?.kind === 'notification') describeNotification(heard.event.notification);
    }
  }
}

describe('whatever octets come', () => {
  it('real messages with some octets changed never get past the border', () => {
    const changes = fc.array(fc.tuple(fc.nat(4095), fc.nat(255)), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(fc.constantFrom(...SEEDS), changes, (seed, edits) => {
        const bytes = seed.slice();
        // Half of the edits go behind the header, where there is more to get wrong.
        for (const [at, value] of edits)
          bytes[at % 2 === 0 ? 19 + (at % (bytes.length - 19)) : at % bytes.length] = value;
        survive(bytes);
      }),
      runs(4000),
    );
  });

  it('neither do well-framed bodies of noise', () => {
    const noise = fc.tuple(fc.integer({ min: 1, max: 5 }), fc.uint8Array({ maxLength: 200 }));
    fc.assert(
      fc.property(noise, ([type, body]) => {
        survive(bytesOf(w.message(type, Buffer.from(body).toString('hex'))));
      }),
      runs(3000),
    );
  });

  it('nor attribute lists of noise in an otherwise sound UPDATE', () => {
    const attribute = fc.tuple(fc.nat(255), fc.nat(40), fc.uint8Array({ maxLength: 40 }), fc.nat(60));
    fc.assert(
      fc.property(fc.array(attribute, { maxLength: 8 }), (list) => {
        const attributes = list.map(([flags, type, value, length]) => {
          const hex = Buffer.from(value).toString('hex');
          return w.attribute(flags, type, hex, length < 40 ? value.length : length);
        });
        survive(bytesOf(w.update({ attributes: attributes.join('') })));
      }),
      runs(3000),
    );
  });

  it('nor pure noise', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => survive(bytes)),
      runs(1000),
    );
  });
});
