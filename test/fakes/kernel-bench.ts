import { newCounters } from '../../src/agent/counters.ts';
import { JournalFile } from '../../src/agent/journal-file.ts';
import { KernelDriver } from '../../src/agent/kernel-driver.ts';
import type { Desired } from '../../src/agent/policy/desired-state.ts';
import type { VerdictState } from '../../src/checks/port.ts';
import { Decisions } from './decisions.ts';
import { HostKernel } from './host-kernel.ts';
import { ManualClock } from './manual-clock.ts';
import { RecordingLog } from './recording-log.ts';
import { tempDir } from './temp-dir.ts';

const UP: Readonly<Record<string, VerdictState>> = { '10.0.0.1': 'up', '10.0.0.2': 'up' };

/** A kernel driver on a host in memory, with passes as the reconciler makes them. */
export class KernelBench {
  readonly clock = new ManualClock();
  readonly log = new RecordingLog();
  readonly counters = newCounters();
  readonly decisions = new Decisions();
  readonly dir: string;
  readonly host: HostKernel;
  readonly driver: KernelDriver;

  constructor(host = new HostKernel(), dir = tempDir()) {
    const { clock, log, counters } = this;
    this.host = host;
    this.dir = dir;
    const journalFile = new JournalFile(dir, { clock, log });
    this.driver = new KernelDriver({ open: host.open, journalFile, counters, clock, log });
  }

  async pass(desired: Desired, maxAgeMs = 60_000, kind: 'ipvs' | 'memory' = 'ipvs'): Promise<boolean> {
    const { driver, decisions, clock } = this;
    await driver.use(kind);
    await driver.refresh(maxAgeMs);
    decisions.actual = driver.picture()?.services ?? null;
    decisions.now = clock.now();
    decisions.monotonic = clock.monotonic();
    return driver.program(decisions.decide(desired, UP), desired.agent.drainTimeoutMs);
  }

  get failures(): readonly string[] {
    return this.driver.report().failures;
  }
}
