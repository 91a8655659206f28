import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteWriter } from '../../../src/core/bytes.ts';
import { runs } from '../../fakes/property.ts';

test('text is written as Buffer writes it, wherever its first character beyond ASCII stands', () => {
  fc.assert(
    fc.property(fc.string(), fc.string({ unit: 'grapheme' }), (ascii, any) => {
      const written = new ByteWriter(1).u8(1).utf8(`${ascii}${any}`).u8(2).finish();
      expect(Buffer.from(written)).toEqual(Buffer.from(`\u0001${ascii}${any}\u0002`));
    }),
    runs(500),
  );
});
