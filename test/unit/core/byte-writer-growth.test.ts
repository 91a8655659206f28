import { expect, test } from 'vitest';
import { ByteWriter } from '../../../src/core/bytes.ts';

test('a number that makes the writer grow lands in the grown buffer', () => {
  const all = new ByteWriter(1).u8(1).u8(2).u16be(0x0304).u16le(0x0605).u32be(0x0708090a).u32le(0x0e0d0c0b);
  all.i32be(0x0f101112).i32le(0x16151413).i64be(0x1718191a1b1c1d1en).u64le(0x262524232221201fn);
  expect(Buffer.from(all.finish()).toString('hex')).toBe(
    Array.from({ length: 0x26 }, (_, n) => (n + 1).toString(16).padStart(2, '0')).join(''),
  );
});
