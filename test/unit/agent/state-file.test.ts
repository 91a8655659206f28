import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readStateFile, writeStateFile } from '../../../src/agent/state-file.ts';
import { runs } from '../../fakes/property.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

const KIND = { format: 'last-known-good', version: 1 };
const PAYLOAD = { services: { web: { reals: ['a', 'b'] } }, text: 'ä\n"' };

describe('state files', () => {
  it('gives back what was written, and when', () => {
    const path = join(tempDir(), 'f');
    writeStateFile(path, KIND, PAYLOAD, 1_700_000_000_000);
    expect(readStateFile(path, KIND)).toEqual({
      ok: true,
      value: { payload: PAYLOAD, savedAt: 1_700_000_000_000 },
    });
  });

  it('answers null when there is no file, which is no error', () => {
    expect(readStateFile(join(tempDir(), 'f'), KIND)).toEqual({ ok: true, value: null });
  });

  it('leaves no temporary file behind', () => {
    const dir = tempDir();
    writeStateFile(join(dir, 'f'), KIND, PAYLOAD, 1);
    writeStateFile(join(dir, 'f'), KIND, PAYLOAD, 2);
    expect(readdirSync(dir)).toEqual(['f']);
  });

  it('keeps the old file when the new one cannot be written', () => {
    const path = join(tempDir(), 'f');
    writeStateFile(path, KIND, PAYLOAD, 1);
    const cyclic: Record<string, unknown> = {};
    cyclic['self'] = cyclic;
    expect(() => writeStateFile(path, KIND, cyclic, 2)).toThrow();
    expect(readStateFile(path, KIND)).toMatchObject({ ok: true, value: { savedAt: 1 } });
  });

  it('refuses a newer version and names both', () => {
    const path = join(tempDir(), 'f');
    writeStateFile(path, { ...KIND, version: 2 }, PAYLOAD, 1);
    const read = readStateFile(path, KIND);
    expect(read).toMatchObject({ ok: false, error: { code: 'STATE_FILE_CORRUPT' } });
    expect(read.ok ? '' : read.error.message).toMatch(/format version 2.*reads version 1/);
  });

  it('refuses a file of another kind', () => {
    const path = join(tempDir(), 'f');
    writeStateFile(path, { format: 'journal', version: 1 }, PAYLOAD, 1);
    const read = readStateFile(path, KIND);
    expect(read.ok ? '' : read.error.message).toMatch(/"journal".*"last-known-good"/);
  });

  it('moves a refused file aside and keeps its bytes', () => {
    const path = join(tempDir(), 'f');
    writeFileSync(path, 'not ours');
    expect(readStateFile(path, KIND).ok).toBe(false);
    expect(existsSync(path)).toBe(false);
    expect(readFileSync(`${path}.refused`, 'utf8')).toBe('not ours');
  });

  it('refuses a header whose time was changed, although the payload is whole', () => {
    const path = join(tempDir(), 'f');
    writeStateFile(path, KIND, PAYLOAD, 1_700_000_000_000);
    writeFileSync(path, readFileSync(path, 'utf8').replace('1700000000000', '1799999999999'));
    const read = readStateFile(path, KIND);
    expect(read.ok ? '' : read.error.message).toMatch(/checksum does not match; it was kept as/);
  });

  it('refuses every truncation and every flipped bit', () => {
    const path = join(tempDir(), 'f');
    writeStateFile(path, KIND, PAYLOAD, 1);
    const good = readFileSync(path);
    fc.assert(
      fc.property(
        fc.oneof(
          fc.nat(good.length - 1).map((length) => good.subarray(0, length)),
          fc.tuple(fc.nat(good.length - 2), fc.nat(7)).map(([at, bit]) => {
            const bad = Buffer.from(good);
            bad.writeUInt8(bad.readUInt8(at) ^ (1 << bit), at);
            return bad;
          }),
        ),
        (bad) => {
          writeFileSync(path, bad);
          expect(readStateFile(path, KIND)).toMatchObject({ ok: false, error: { code: 'STATE_FILE_CORRUPT' } });
        },
      ),
      runs(200),
    );
  });
});
