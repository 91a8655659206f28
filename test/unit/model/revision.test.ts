import { createHash } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { revisionOf } from '../../../src/model/revision.ts';

const record = (path: string, text: string) => ({ path, bytes: Buffer.from(text) });

describe('the revision of a configuration', () => {
  const a = record('config/vips/a', '{}');
  const b = record('config/vips/b', '{"x":1}');

  it('is the sha256 of lengths, paths and bytes in order of the paths', () => {
    // Written out by hand: two big-endian lengths, then the path and the value.
    const text =
      '0000000d00000002' +
      hex('config/vips/a') +
      hex('{}') +
      '0000000d00000007' +
      hex('config/vips/b') +
      hex('{"x":1}');
    const expected = `sha256:${createHash('sha256').update(Buffer.from(text, 'hex')).digest('hex')}`;
    expect(revisionOf([a, b])).toBe(expected);
    expect(revisionOf([b, a])).toBe(expected);
  });

  it('does not count wishes about it', () => {
    const wishes = [record('config/drains/d', '{}'), record('config/approvals/x', '{}')];
    expect(revisionOf([a, ...wishes])).toBe(revisionOf([a]));
    expect(revisionOf([a, record('config/drainsx', '{}')])).not.toBe(revisionOf([a]));
  });

  it('does not count folders', () => {
    expect(revisionOf([record('config/vips', ''), a])).toBe(revisionOf([a]));
  });

  it('tells apart what only looks alike when it is joined', () => {
    expect(revisionOf([record('config/a', 'bc')])).not.toBe(revisionOf([record('config/ab', 'c')]));
  });
});

function hex(text: string): string {
  return Buffer.from(text).toString('hex');
}
