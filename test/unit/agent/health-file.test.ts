import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { HealthFile } from '../../../src/agent/health-file.ts';
import type { SavedHealth } from '../../../src/agent/health-file.ts';
import type { DrainMemory } from '../../../src/agent/policy/health-memory.ts';
import { writeStateFile } from '../../../src/agent/state-file.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

const START = Date.parse('2026-01-01T00:00:00Z');

function health(rampStart: number | null = null, drain: DrainMemory | null = null): SavedHealth {
  const a = {
    key: '10.0.0.1|80',
    decided: 'up',
    since: START,
    cause: '200',
    presumed: null,
    inPool: true,
    kept: false,
    rampStart,
    drain,
  } as const;
  const web = {
    kernelKey: null,
    quorum: 'held',
    quorumSince: START,
    sorry: false,
    reals: [a],
  } as const;
  const verdict = { state: 'up', since: START, cause: '200', latencyMs: 3, at: START } as const;
  return { verdicts: new Map([['10.0.0.1|80|ok', verdict]]), memory: { services: { web } } };
}

function setUp(dir = tempDir()) {
  const clock = new ManualClock(START);
  const log = new RecordingLog();
  return { dir, clock, log, file: new HealthFile(dir, { clock, log }) };
}

/** The same directory, seen by a process that began `ms` later. */
function later(dir: string, ms: number) {
  const log = new RecordingLog();
  return { log, file: new HealthFile(dir, { clock: new ManualClock(START + ms), log }) };
}

describe('the health file', () => {
  it('is empty at first', () => {
    expect(setUp().file.load()).toBeNull();
  });

  it('gives verdicts and memory back within a minute', () => {
    const { dir, file } = setUp();
    file.save(health());
    expect(later(dir, 60_000).file.load()).toEqual(health());
  });

  it('gives nothing back after a minute, and says so', () => {
    const { dir, file } = setUp();
    file.save(health());
    const { file: after, log } = later(dir, 60_001);
    expect(after.load()).toBeNull();
    expect(log.about('not fresh')).toHaveLength(1);
  });

  it('does not trust a file from the future: a clock was set back', () => {
    const { dir, file } = setUp();
    file.save(health());
    expect(later(dir, -1).file.load()).toBeNull();
  });

  it('lets a drain that steps down go on where it was, on the clock of the new process', () => {
    const { dir, clock, file } = setUp();
    clock.advance(100_000);
    file.save(health(null, { since: START, startedAt: 90_000, from: 10 }));
    const after = new HealthFile(dir, { clock: new ManualClock(clock.now() + 5_000), log: new RecordingLog() });
    const drain = after.load()?.memory.services['web']?.reals[0]?.drain;
    expect(drain).toEqual({ since: START, startedAt: -15_000, from: 10 });
  });

  it('lets a ramp go on where it was, on the clock of the new process', () => {
    const { dir, clock, file } = setUp();
    clock.advance(100_000);
    file.save(health(90_000));
    const after = new HealthFile(dir, { clock: new ManualClock(clock.now() + 5_000), log: new RecordingLog() });
    // 10 s old when it was saved, and 5 s passed since; the new process is at monotonic 0.
    expect(after.load()?.memory.services['web']?.reals[0]?.rampStart).toBe(-15_000);
  });

  it('refuses a torn file and says so', () => {
    const { dir, file } = setUp();
    file.save(health());
    const path = join(dir, 'health.json');
    writeFileSync(path, readFileSync(path).subarray(0, -3));
    const { file: after, log } = later(dir, 1_000);
    expect(after.load()).toBeNull();
    expect(log.about('refused')).toHaveLength(1);
  });

  it('refuses what an earlier version wrote, in which reals were no list', () => {
    const { dir } = setUp();
    const { verdicts, memory } = health();
    const reals = { '10.0.0.1|80': memory.services['web']?.reals[0] };
    const services = { web: { ...memory.services['web'], reals } };
    const saved = { verdicts, memory: { services }, monotonic: 0 };
    writeStateFile(join(dir, 'health.json'), { format: 'vipkeeper-health', version: 1 }, saved, START);
    const { file: after, log } = later(dir, 1_000);
    expect(after.load()).toBeNull();
    expect(log.about('refused')).toHaveLength(1);
  });

  it('goes on when it cannot be written', () => {
    const log = new RecordingLog();
    new HealthFile('/proc/nowhere', { clock: new ManualClock(), log }).save(health());
    expect(log.about('cannot be written')).toHaveLength(1);
  });
});
