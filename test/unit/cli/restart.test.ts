import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ok } from '../../../src/core/result.ts';
import type { Harness } from './cli-harness.ts';
import { harness } from './cli-harness.ts';

let stateDir = '';
let child: ChildProcess | undefined;

beforeEach(() => {
  stateDir = mkdtempSync(join(tmpdir(), 'vipkeeper-restart-'));
});

afterEach(() => {
  child?.kill('SIGKILL');
  rmSync(stateDir, { recursive: true });
});

function harnessIn(directory: string): Harness {
  const bootstrap = {
    agent: 'lb1',
    store: { directory: { path: '/nowhere' } },
    root: '/vipkeeper',
    stateDir: directory,
    api: { listen: null },
    log: { level: 'info' as const },
    checkWorkers: 1,
  };
  return harness({ loadBootstrap: () => ok(bootstrap), signal: (pid, name) => void process.kill(pid, name) });
}

/** A process that behaves as an agent does: it leaves at SIGUSR2 only. */
function startAgent(): Promise<number> {
  const script = `process.on('SIGUSR2', () => process.exit(0)); setInterval(() => {}, 1000); console.log('up')`;
  const started = spawn(process.execPath, ['-e', script], { stdio: ['ignore', 'pipe', 'ignore'] });
  child = started;
  return new Promise((resolve, reject) => {
    started.on('error', reject);
    started.stdout.once('data', () => resolve(started.pid ?? 0));
  });
}

/** The lock as the agent writes it; proc(5): the start time is field 22, the 20th behind the name. */
function writeLock(pid: number, changes: object = {}): void {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const startTicks = stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19];
  const bootId = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
  writeFileSync(join(stateDir, 'agent.lock'), JSON.stringify({ pid, startTicks, bootId, ...changes }));
}

describe('restart', () => {
  it('lets the running agent leave, and waits until it has', async () => {
    const pid = await startAgent();
    writeLock(pid);
    const outcome = await harnessIn(stateDir).run('restart');
    expect(outcome).toMatchObject({ exitCode: 0, err: '' });
    expect(outcome.out).toContain(`(pid ${pid}) has left`);
    expect(child?.signalCode).toBeNull();
  });

  it('never signals a process that has the pid by chance', async () => {
    const pid = await startAgent();
    writeLock(pid, { startTicks: '1' });
    expect(await harnessIn(stateDir).run('restart')).toMatchObject({ exitCode: 1 });
    writeLock(pid, { bootId: 'another boot' });
    const outcome = await harnessIn(stateDir).run('restart');
    expect(outcome.err).toBe(`vipkeeper: no agent is running in ${stateDir}\n`);
    expect(child?.exitCode).toBeNull();
    expect(() => process.kill(pid, 0)).not.toThrow();
  });

  it('says that no agent is running', async () => {
    expect(await harnessIn(stateDir).run('restart')).toMatchObject({ exitCode: 1, out: '' });
  });
});
