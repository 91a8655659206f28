import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { resolveSecret } from '../../../src/agent/secrets.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

describe('secret references', () => {
  it('reads a file anew each time, without its last line break', () => {
    const path = join(tempDir(), 'secret');
    writeFileSync(path, 'first\n');
    expect(resolveSecret(`file:${path}`)).toEqual({ ok: true, value: 'first' });
    writeFileSync(path, 'second');
    expect(resolveSecret(`file:${path}`)).toEqual({ ok: true, value: 'second' });
  });

  it('reads the environment', () => {
    expect(resolveSecret('env:ZK_AUTH', { ZK_AUTH: 'me:pw' })).toEqual({ ok: true, value: 'me:pw' });
  });

  it.each(['file:/nonexistent', 'env:NOT_SET'])('names the reference when it cannot be resolved: %s', (reference) => {
    const resolved = resolveSecret(reference, {});
    expect(resolved).toMatchObject({ ok: false, error: { code: 'SECRET_UNREADABLE' } });
    expect(resolved.ok ? '' : resolved.error.message).toContain(reference);
  });

  it('does not try to read a device to its end', () => {
    expect(resolveSecret('file:/dev/zero')).toMatchObject({ ok: false, error: { code: 'SECRET_UNREADABLE' } });
  });

  it('refuses an empty file and one that is no secret', () => {
    const path = join(tempDir(), 'secret');
    writeFileSync(path, '\n');
    expect(resolveSecret(`file:${path}`).ok).toBe(false);
    writeFileSync(path, 'x'.repeat(20_000));
    expect(resolveSecret(`file:${path}`).ok).toBe(false);
  });
});
