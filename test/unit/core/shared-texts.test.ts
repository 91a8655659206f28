import { describe, expect, it } from 'vitest';
import { SharedTexts } from '../../../src/core/shared-texts.ts';

describe('shared texts', () => {
  it('say what they were given, however many there are', () => {
    const texts = new SharedTexts();
    for (let round = 0; round < 2; round++) {
      for (let n = 0; n < 3_000; n++) expect(texts.of(`text ${n}`)).toBe(`text ${n}`);
    }
  });
});
