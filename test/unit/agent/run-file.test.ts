import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it, vi } from 'vitest';
import { RunFile } from '../../../src/agent/run-file.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

const boot = vi.hoisted(() => ({ id: 'boot-1' }));
vi.mock('../../../src/agent/boot-id.ts', () => ({ bootId: () => boot.id }));

function setUp(dir = tempDir()) {
  boot.id = 'boot-1';
  const log = new RecordingLog();
  const open = (): RunFile => new RunFile(dir, { clock: new ManualClock(), log });
  return { dir, log, open };
}

describe('the run file', () => {
  it('knows of no run before the first one', () => {
    expect(setUp().open().load()).toEqual({ sessions: [], restarting: false });
  });

  it('sees a run that ended without a word as a restart, with its sessions', () => {
    const { open } = setUp();
    const run = open();
    run.noteRunning();
    run.noteSession('0x1');
    run.noteSession('0x2');
    run.noteSession('0x1');
    expect(open().load()).toEqual({ sessions: ['0x1', '0x2'], restarting: true });
  });

  it('sees a run that said goodbye to its peers as a stop', () => {
    const { open } = setUp();
    const run = open();
    run.noteRunning();
    run.noteStopped();
    expect(open().load()).toMatchObject({ restarting: false });
    const next = open();
    next.load();
    next.noteRunning();
    expect(open().load()).toMatchObject({ restarting: true });
  });

  it('sees no restart after a boot: that kernel has forwarded nothing for us', () => {
    const { open } = setUp();
    open().noteRunning();
    boot.id = 'boot-2';
    expect(open().load()).toMatchObject({ restarting: false });
  });

  it('claims no restart where the kernel does not tell one boot from another', () => {
    const { open } = setUp();
    boot.id = '';
    open().noteRunning();
    expect(open().load()).toMatchObject({ restarting: false });
  });

  it('hands sessions on from run to run, the newest 16 of them', () => {
    const { open } = setUp();
    for (let count = 1; count <= 20; count++) {
      const run = open();
      run.load();
      run.noteSession(`0x${count}`);
    }
    const { sessions } = open().load();
    expect(sessions).toHaveLength(16);
    expect(sessions[0]).toBe('0x5');
    expect(sessions.at(-1)).toBe('0x20');
  });

  it('refuses a torn file, says so, and goes on without', () => {
    const { dir, open, log } = setUp();
    open().noteSession('0x1');
    const path = join(dir, 'run.json');
    writeFileSync(path, readFileSync(path).subarray(0, -10));
    expect(open().load()).toEqual({ sessions: [], restarting: false });
    expect(log.about('refused')).toHaveLength(1);
  });

  it('goes on when it cannot be written', () => {
    const { log } = setUp();
    new RunFile('/proc/nowhere', { clock: new ManualClock(), log }).noteRunning();
    expect(log.about('cannot be written')).toHaveLength(1);
  });
});
