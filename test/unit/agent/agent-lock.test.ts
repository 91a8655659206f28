import { spawnSync } from 'node:child_process';
import { readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { lockStateDir, readLock } from '../../../src/agent/agent-lock.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

describe('the lock of a state directory', () => {
  it('makes the directory, names this process, and goes when released', () => {
    const dir = join(tempDir(), 'deep', 'state');
    const lock = lockStateDir(dir);
    expect(readLock(dir)).toMatchObject({ pid: process.pid });
    if (lock.ok) lock.value.release();
    expect(readdirSync(dir)).toEqual([]);
  });

  it('refuses a second agent while the first is alive, and says who it is', () => {
    const dir = tempDir();
    lockStateDir(dir);
    const second = lockStateDir(dir);
    expect(second).toMatchObject({ ok: false, error: { code: 'STATE_DIR_LOCKED' } });
    expect(second.ok ? '' : second.error.message).toContain(`pid ${process.pid}`);
  });

  it('takes over the lock of a process that is gone', () => {
    const dir = tempDir();
    const gone = spawnSync('true').pid;
    const boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
    writeFileSync(join(dir, 'agent.lock'), JSON.stringify({ pid: gone, startTicks: '1', bootId: boot }));
    expect(lockStateDir(dir).ok).toBe(true);
    expect(readLock(dir)?.pid).toBe(process.pid);
  });

  it('takes over when the pid lives again as another process', () => {
    const dir = tempDir();
    lockStateDir(dir);
    const own = readLock(dir);
    writeFileSync(join(dir, 'agent.lock'), JSON.stringify({ ...own, startTicks: '1' }));
    expect(lockStateDir(dir).ok).toBe(true);
  });

  it('takes over after a reboot, whatever lives under the pid now', () => {
    const dir = tempDir();
    lockStateDir(dir);
    const own = readLock(dir);
    writeFileSync(join(dir, 'agent.lock'), JSON.stringify({ ...own, bootId: 'another boot' }));
    expect(lockStateDir(dir).ok).toBe(true);
  });

  it('says so when the directory cannot be made', () => {
    const file = join(tempDir(), 'file');
    writeFileSync(file, '');
    expect(lockStateDir(join(file, 'state'))).toMatchObject({ ok: false, error: { code: 'STATE_DIR_UNUSABLE' } });
  });

  it('says so on a file system that makes no folders', () => {
    expect(lockStateDir('/proc/no/such')).toMatchObject({ ok: false, error: { code: 'STATE_DIR_UNUSABLE' } });
  });
});
