import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
let folder = '';

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), 'vipkeeper-main-'));
  const bootstrap = { store: { directory: { path: join(folder, 'store') } }, stateDir: folder };
  writeFileSync(join(folder, 'bootstrap.json'), JSON.stringify(bootstrap));
});

afterAll(() => {
  rmSync(folder, { recursive: true });
});

/** The program as a process of its own. */
function vipkeeper(args: readonly string[], input = ''): Promise<{ code: number | null; out: string; err: string }> {
  const child = spawn(process.execPath, ['--import', 'tsx', main, ...args], {
    env: { ...process.env, VIPKEEPER_BOOTSTRAP: join(folder, 'bootstrap.json') },
  });
  let out = '';
  let err = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  child.stdin.on('error', () => undefined).end(input);
  return new Promise((resolve, reject) => {
    child.on('error', reject).on('close', (code) => resolve({ code, out, err }));
  });
}

describe('the program', { timeout: 60_000 }, () => {
  it('can be run as a file', () => {
    expect(readFileSync(main, 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it('prints its version, and ends with the exit code of the command', async () => {
    const { version } = JSON.parse(readFileSync('package.json', 'utf8')) as { version: string };
    expect(await vipkeeper(['version'])).toEqual({ code: 0, out: `${version}\n`, err: '' });
    expect(await vipkeeper(['frobnicate'])).toMatchObject({ code: 2, out: '' });
  });

  it('writes what is piped in to the configured store', async () => {
    const vip = '{ "addresses": ["203.0.113.10"] }';
    expect(await vipkeeper(['set', 'config/vips/web'], vip)).toEqual({
      code: 0,
      out: 'config/vips/web: created\n',
      err: '',
    });
    expect(readFileSync(join(folder, 'store/config/vips/web.json'), 'utf8')).toBe(vip);
  });

  it('does not read more than a record can hold', async () => {
    const outcome = await vipkeeper(['set', 'config/vips/web', '-'], 'x'.repeat(1_000_000));
    expect(outcome).toMatchObject({ code: 3, out: '' });
    expect(outcome.err).toContain('at most 65536 bytes');
  });
});
