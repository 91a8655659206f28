import { spawn } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, it, onTestFinished, vi } from 'vitest';
import { lockStateDir } from '../../../src/agent/agent-lock.ts';
import { runAgent } from '../../../src/agent/main.ts';
import { tempDir } from '../../fakes/temp-dir.ts';
import { pem, tlsFiles } from '../../fakes/tls-files.ts';

const cli = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

function bootstrapFile(dir: string, changes: object = {}): string {
  const path = join(dir, 'bootstrap.json');
  const store = { directory: { path: join(dir, 'store') } };
  const bootstrap = { agent: 'lb1', store, stateDir: join(dir, 'state'), api: { listen: null }, ...changes };
  writeFileSync(path, JSON.stringify(bootstrap));
  return path;
}

/** Runs an agent that must not come to life. */
async function refused(bootstrap: string): Promise<{ readonly code: number; readonly err: string }> {
  let err = '';
  const write = vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    err += String(text);
    return true;
  });
  try {
    return { code: await runAgent(bootstrap, { flush: false }), err };
  } finally {
    write.mockRestore();
  }
}

it('answers 3 and names the field when the bootstrap file is wrong, before it touches anything', async () => {
  const dir = tempDir();
  const { code, err } = await refused(bootstrapFile(dir, { sateDir: '/tmp' }));
  expect(code).toBe(3);
  expect(err).toMatch(/sateDir.*stateDir/);
  expect(existsSync(join(dir, 'state'))).toBe(false);
});

it.each(['certificate', 'key', 'clientCa'] as const)(
  'answers 3 where the file of api.tls.%s is not there',
  async (field) => {
    const dir = tempDir();
    const gone = join(dir, 'gone.pem');
    const { code, err } = await refused(
      bootstrapFile(dir, { api: { listen: '127.0.0.1:1', tls: { ...tlsFiles(), [field]: gone } } }),
    );
    expect(code).toBe(3);
    expect(err).toContain(
      `the bootstrap file ${join(dir, 'bootstrap.json')} cannot be used:\n  api.tls.${field}: found ${gone}`,
    );
    expect(err).toMatch(/ENOENT.*, allowed a PEM file with/);
    expect(existsSync(join(dir, 'state'))).toBe(false);
  },
);

it('answers 3 where the key of the API is that of another certificate', async () => {
  const dir = tempDir();
  const files = tlsFiles();
  writeFileSync(files.key, pem('client.key'));
  const { code, err } = await refused(bootstrapFile(dir, { api: { listen: '127.0.0.1:1', tls: files } }));
  expect(code).toBe(3);
  expect(err).toMatch(/api\.tls\.key: found .*: not the key of the first certificate in .*, allowed a PEM file with/);
});

it('answers 6 while another agent lives in its state directory, and leaves that one its lock', async () => {
  const dir = tempDir();
  const bootstrap = bootstrapFile(dir);
  const lock = lockStateDir(join(dir, 'state'));
  expect(lock.ok).toBe(true);
  const before = readFileSync(join(dir, 'state', 'agent.lock'), 'utf8');
  const { code, err } = await refused(bootstrap);
  expect(code).toBe(6);
  expect(err).toContain(`pid ${process.pid}`);
  expect(readFileSync(join(dir, 'state', 'agent.lock'), 'utf8')).toBe(before);
});

it('ends with 7, threads and all, when its API cannot listen', async () => {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  const taken = server.address();
  if (taken === null || typeof taken === 'string') throw new Error('no port');
  const dir = tempDir();
  const bootstrap = bootstrapFile(dir, { api: { listen: `127.0.0.1:${taken.port}` } });
  const child = spawn(process.execPath, ['--import', 'tsx', cli, 'agent', '--bootstrap', bootstrap]);
  onTestFinished(() => void child.kill('SIGKILL'));
  let err = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text));
  const code = await new Promise((resolve, reject) => child.on('error', reject).on('close', resolve));
  expect(err).toMatch(/^vipkeeper: API_LISTEN: .*EADDRINUSE/);
  expect(code).toBe(7);
  expect(existsSync(join(dir, 'state', 'agent.lock'))).toBe(false);
});
