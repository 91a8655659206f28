import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DecodeError } from '../../../../src/core/bytes.ts';
import { Framer } from '../../../../src/sources/zookeeper/framer.ts';
import { runs } from '../../../fakes/property.ts';
import { framed, int } from '../../../fakes/zookeeper-bytes.ts';

const MAX = 1_000;

interface Seen {
  readonly hex: string;
  readonly length: number;
  readonly truncated: boolean;
}

function pushAll(framer: Framer, chunks: readonly Uint8Array[]): Seen[] {
  return chunks
    .flatMap((chunk) =>
      [...framer.push(chunk)].map((frame) => ({ ...frame, hex: Buffer.from(frame.bytes).toString('hex') })),
    )
    .map(({ hex, length, truncated }) => ({ hex, length, truncated }));
}

describe('framer', () => {
  test('frames come out whole, however the stream was cut', () => {
    const stream = fc.tuple(
      fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 8 }),
      fc.array(fc.integer({ min: 1, max: 30 }), { minLength: 1, maxLength: 10 }),
    );
    fc.assert(
      fc.property(stream, ([bodies, cuts]) => {
        const bytes = Buffer.concat(bodies.map((body) => framed(Buffer.from(body))));
        const chunks: Buffer[] = [];
        for (let at = 0, n = 0; at < bytes.length; n++) {
          const size = cuts[n % cuts.length] ?? 1;
          chunks.push(bytes.subarray(at, at + size));
          at += size;
        }
        const expected = bodies.map((body) => Buffer.from(body).toString('hex'));
        // A frame without a body shows itself with the byte that follows it, or never: the server sends none.
        const seen = pushAll(new Framer(MAX), chunks).map((frame) => frame.hex);
        expect(seen.filter((hex) => hex !== '')).toEqual(expected.filter((hex) => hex !== ''));
      }),
      runs(500),
    );
  });

  test.each([1, 3, 7, 5_000])(
    'a frame above the limit is passed over in pieces of %i, and the next one is read',
    (size) => {
      const huge = Buffer.alloc(MAX + 1, 9);
      const bytes = Buffer.concat([framed(huge), framed(Buffer.from('next'))]);
      const chunks = Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) =>
        bytes.subarray(n * size, (n + 1) * size),
      );
      expect(pushAll(new Framer(MAX), chunks)).toEqual([
        { hex: '09'.repeat(16), length: MAX + 1, truncated: true },
        { hex: Buffer.from('next').toString('hex'), length: 4, truncated: false },
      ]);
    },
  );

  test('a frame of exactly the limit is whole', () => {
    expect(pushAll(new Framer(MAX), [framed(Buffer.alloc(MAX))])).toMatchObject([{ length: MAX, truncated: false }]);
  });

  test('a claimed length is not allocated before its bytes arrive when it is above the limit', () => {
    expect(pushAll(new Framer(MAX), [int(0x7fffffff), Buffer.alloc(10)])).toEqual([]);
  });

  test('a negative length ends the stream', () => {
    expect(() => [...new Framer(MAX).push(int(-1))]).toThrow(DecodeError);
  });
});
