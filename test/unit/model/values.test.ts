import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  addressBytes,
  addressFromBytes,
  canonicalAddress,
  compareAddresses,
  familyOf,
  formatEndpoint,
  isHostAddress,
  parseAddress,
} from '../../../src/model/address.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { durationMs } from '../../../src/model/duration.ts';
import { isName, nearestName } from '../../../src/model/names.ts';
import { isoTime, timeMs } from '../../../src/model/time.ts';
import { runs } from '../../fakes/property.ts';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');

describe('addresses', () => {
  // Examples of RFC 5952 sections 2 and 4, and what else operators write.
  it.each([
    ['192.0.2.1', '192.0.2.1'],
    ['2001:DB8:0:0:0:0:0:1', '2001:db8::1'],
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['::', '::'],
    ['::1', '::1'],
    ['64:ff9b::192.0.2.33', '64:ff9b::c000:221'],
  ])('%s is %s', (text, canonical) => {
    expect(parseAddress(text)).toBe(canonical);
    expect(parseAddress(canonical)).toBe(canonical);
  });

  it.each([
    '',
    '1',
    '010.1.1.1',
    '10.1.1',
    '10.1.1.256',
    '0x0a.1.1.1',
    '10.1.1.1 ',
    '10.1.1.1/24',
    '10.1.1.1:80',
    'fe80::1%eth0',
    '::ffff:10.0.0.1',
    '::ffff:a00:1',
    '[2001:db8::1]',
    '2001:db8:::1',
    '2001:db8::12345',
    'localhost',
    '１0.0.0.1',
  ])('%j is refused', (text) => {
    expect(parseAddress(text)).toBeUndefined();
    expect(() => canonicalAddress(text)).toThrow(RangeError);
  });

  it('survive their bytes, and equal bytes are equal text', () => {
    const bytes = fc.oneof(
      fc.uint8Array({ minLength: 4, maxLength: 4 }),
      fc.uint8Array({ minLength: 16, maxLength: 16 }),
    );
    fc.assert(
      fc.property(bytes, (raw) => {
        const address = addressFromBytes(raw);
        expect(hex(addressBytes(address))).toBe(hex(raw));
        if (!address.startsWith('::ffff:')) expect(parseAddress(address)).toBe(address);
      }),
      runs(300),
    );
    expect(() => addressFromBytes(new Uint8Array(5))).toThrow(RangeError);
  });

  it('have a family, an order and an endpoint', () => {
    const sorted = ['::1', '10.0.0.10', '2001:db8::1', '10.0.0.9'].map(canonicalAddress).sort(compareAddresses);
    expect(sorted).toEqual(['10.0.0.9', '10.0.0.10', '::1', '2001:db8::1']);
    expect(familyOf('10.0.0.1' as IpAddress)).toBe('ipv4');
    expect(formatEndpoint('10.0.0.1' as IpAddress, 80)).toBe('10.0.0.1:80');
    expect(formatEndpoint('2001:db8::1' as IpAddress, 80)).toBe('[2001:db8::1]:80');
  });

  it.each([
    ['10.0.0.1', true],
    ['127.0.0.1', true],
    ['223.255.255.255', true],
    ['0.0.0.0', false],
    ['0.1.2.3', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['2001:db8::1', true],
    ['::1', true],
    ['ff::1', true],
    ['fec0::1', true],
    ['::', false],
    ['ff02::1', false],
    ['fe80::1', false],
    ['febf::1', false],
  ])('%s is the address of one host: %s', (address, expected) => {
    expect(isHostAddress(canonicalAddress(address))).toBe(expected);
  });
});

describe('durations', () => {
  it.each([
    ['0s', 0],
    ['250ms', 250],
    ['2s', 2_000],
    ['1.5m', 90_000],
    ['0.001s', 1],
    ['6h', 21_600_000],
    ['7d', 604_800_000],
    ['0.7ms', 1],
  ])('%s is %d ms', (text, ms) => {
    expect(durationMs(text)).toBe(ms);
  });

  it.each(['', '5', '5 s', '-5s', '+5s', '1e3s', '05s', '5S', '5w', '1.2345s', '.5s', '5s ', '1000000000s'])(
    '%j is refused',
    (text) => {
      expect(() => durationMs(text)).toThrow(RangeError);
    },
  );
});

describe('times', () => {
  it('survive their text', () => {
    expect(isoTime(timeMs('2026-12-01T10:00:00+02:00'))).toBe('2026-12-01T08:00:00.000Z');
    expect(() => timeMs('tomorrow')).toThrow(RangeError);
  });
});

describe('names', () => {
  it.each(['a', 'web-https', 'A.b_c-9', '0', 'x'.repeat(63), 'constructor'])('%s is one', (name) => {
    expect(isName(name)).toBe(true);
  });

  it.each(['', '_default', '.', '..', '-a', 'a/b', 'a b', 'ä', 'a\n', 'a\0', 'x'.repeat(64)])('%j is none', (name) => {
    expect(isName(name)).toBe(false);
  });

  it.each([
    ['adress', 'address'],
    ['wieght', 'weight'],
    ['ADDRESS', 'address'],
    ['port', 'ports'],
    ['prots', 'ports'],
    ['elephant', undefined],
    ['x', undefined],
  ])('%s is near %s', (word, near) => {
    expect(nearestName(word, ['address', 'weight', 'ports', 'state'])).toBe(near);
  });
});
