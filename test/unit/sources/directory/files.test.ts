import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TICK_MS, fingerprintOf, isFresh } from '../../../../src/sources/directory/files.ts';
import { runs } from '../../../fakes/property.ts';

const STAMPS = {
  dev: 2_050n,
  ino: 1_835_009n,
  size: 310n,
  mtimeNs: 1_767_225_600_123_456_789n,
  ctimeNs: 1_767_225_600_123_456_789n,
};

describe('the fingerprint of a file', () => {
  it.each(Object.keys(STAMPS) as (keyof typeof STAMPS)[])('is another one where only %s is', (field) => {
    const near = { ...STAMPS, [field]: STAMPS[field] + 1n };
    const far = { ...STAMPS, [field]: STAMPS[field] + 4_000_000_000n };
    expect(new Set([STAMPS, near, far].map(fingerprintOf)).size).toBe(3);
  });

  it('is one for each set of stamps, and one set for each of it', () => {
    const small = fc.bigInt({ min: 0n, max: 70n });
    const stamp = fc.oneof(small, fc.bigInt({ min: 0n, max: 2n ** 63n - 1n }));
    const stamps = fc.record({ dev: stamp, ino: stamp, size: small, mtimeNs: stamp, ctimeNs: stamp });
    fc.assert(
      fc.property(stamps, stamps, (a, b) => {
        const isSame = (Object.keys(a) as (keyof typeof a)[]).every((field) => a[field] === b[field]);
        expect(fingerprintOf(a) === fingerprintOf(b)).toBe(isSame);
        // One part after the other: no digit of one may pass for a digit of the next.
        const shifted = { ...a, ino: a.ino * 32n + (a.size % 32n), size: a.size / 32n };
        if (shifted.ino !== a.ino) expect(fingerprintOf(shifted)).not.toBe(fingerprintOf(a));
      }),
      runs(1_000),
    );
  });
});

it('a file is fresh for a tick of the kernel after its last change, and while that lies ahead', () => {
  const ctimeNs = 1_767_225_600_000_000_000n;
  const after = (ms: number): boolean => isFresh({ ctimeNs }, 1_767_225_600_000 + ms);
  expect([after(-60_000), after(0), after(TICK_MS - 1)]).toEqual([true, true, true]);
  expect([after(TICK_MS), after(60_000)]).toEqual([false, false]);
});
