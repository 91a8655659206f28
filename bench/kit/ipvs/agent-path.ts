import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { newCounters } from '../../../src/agent/counters.ts';
import type { Counters } from '../../../src/agent/counters.ts';
import { HostAdvice } from '../../../src/agent/host-advice.ts';
import { JournalFile } from '../../../src/agent/journal-file.ts';
import { KernelDriver } from '../../../src/agent/kernel-driver.ts';
import type { Desired } from '../../../src/agent/policy/desired-state.ts';
import { Reconciler } from '../../../src/agent/reconciler.ts';
import { RouteDriver } from '../../../src/agent/route-driver.ts';
import { SettingsDriver } from '../../../src/agent/settings-driver.ts';
import { SettingsFile } from '../../../src/agent/settings-file.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { ok } from '../../../src/core/result.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import type { InterfaceAddresses } from '../../../src/ipvs/addresses.ts';
import type { Dataplane } from '../../../src/ipvs/dataplane.ts';
import { MemoryInterfaceAddresses } from '../../../src/ipvs/memory-interface-addresses.ts';
import { noNeighbors } from '../../../src/ipvs/announce/neighbor-announcer.ts';
import { noPacketMarks } from '../../../src/ipvs/packet-marks.ts';
import { SysctlFiles } from '../../../src/ipvs/settings/sysctl-files.ts';
import { RecordingSpeaker } from '../../../test/fakes/recording-speaker.ts';
import { onceStill } from '../warm-up.ts';
import type { Settled } from '../warm-up.ts';
import { EditedStore, HeldVerdicts } from './agent-inputs.ts';
import type { MovingCounters } from './moving-counters.ts';
import { check } from './surroundings.ts';
import { REALS } from './workload.ts';

/** The agent's own way from accepted records and verdicts to the kernel, with everything that lies between. */
export interface AgentRound {
  /** An agent that starts with everything already right: its first pass, and the reading that is part of it. */
  readonly start: {
    readonly passMs: number;
    readonly readMs: number;
    readonly readings: number;
    readonly writes: number;
  };
  /** From the reconciler's poke to the kernel's ACK: the weight in a record is another. */
  readonly recordEditMs: readonly number[];
  /** What comes before that poke: all records understood anew, and what did not change found to be the same. */
  readonly intakeMs: readonly number[];
  /** From the runner's poke to the kernel's ACK: one real is down, or up again. */
  readonly verdictMs: readonly number[];
  /** Of one edit. */
  readonly edit: { readonly messages: number; readonly dumps: number };
  /** Everything read again, and a pass that finds nothing to do. */
  readonly verify: Settled;
  /** The same with other counters in every entry. */
  readonly busyVerify: Settled;
  /** Operations of all those passes. */
  readonly verifyWrites: number;
}

/** The dataplane that is watched, and the messages that it has sent so far; none where it sends none. */
export interface WatchedDataplane {
  readonly dataplane: Dataplane;
  readonly counters: () => { readonly messages: number; readonly dumps: number };
}

/** Passes that bring the process to the speed that it has after its first minutes. */
const WARM_UP = { verdicts: 600, edits: 300, verifications: 12 };
const EDITS = 20;
/** After a verification an agent puts the next one off for three times as long as that took. */
const REST = 3.5;

/** @param open the same table each time: what an agent left is there for the next */
export async function agentRound(kernel: MovingCounters, open: () => WatchedDataplane): Promise<AgentRound> {
  const stateDir = mkdtempSync(join(tmpdir(), 'vipkeeper-bench-'));
  const store = new EditedStore();
  const addresses = new MemoryInterfaceAddresses();
  const filler = new WatchedAgent(stateDir, store.desired, open(), addresses);
  check(!Number.isNaN((await filler.pass()).ackMs), 'the table is filled');
  await filler.stop();

  const agent = new WatchedAgent(stateDir, store.desired, open(), addresses);
  const { passMs } = await agent.pass();
  const { readMs } = agent;
  const start = { passMs, readMs, readings: agent.counters.kernelReads, writes: agent.counters.operations };

  const measured = { messages: 0, dumps: 0, operations: 0 };
  const counted = async (measure: () => Promise<void>): Promise<void> => {
    const before = { ...agent.messages(), operations: agent.counters.operations };
    await measure();
    const { messages, dumps } = agent.messages();
    measured.messages += messages - before.messages;
    measured.dumps += dumps - before.dumps;
    measured.operations += agent.counters.operations - before.operations;
  };
  // Each after others of its kind: what V8 still has to do for the one before is not its own.
  const verdictMs: number[] = [];
  for (let pass = 0; pass < WARM_UP.verdicts; pass++) await agent.turn(pass);
  await counted(async () => {
    for (let edit = 0; edit < EDITS; edit++) verdictMs.push(await agent.turn(edit));
  });
  const recordEditMs: number[] = [];
  const intakeMs: number[] = [];
  for (let edit = 0; edit < WARM_UP.edits; edit++) await agent.follow(store.edited(edit));
  await counted(async () => {
    for (let edit = 0; edit < EDITS; edit++) {
      const begun = performance.now();
      const desired = store.edited(WARM_UP.edits + edit);
      intakeMs.push(performance.now() - begun);
      recordEditMs.push(await agent.follow(desired));
    }
  });
  const edits = measured.operations;
  check(edits === 2 * EDITS, 'each edit is one operation');

  const done = agent.counters.operations;
  for (let round = 0; round < WARM_UP.verifications; round++) await agent.verify();
  const verify = await onceStill(() => agent.verify());
  kernel.moving = true;
  const busyVerify = await onceStill(() => agent.verify());
  check(kernel.altered >= REALS * (busyVerify.before + busyVerify.values.length), 'every counter was another');
  const verifyWrites = agent.counters.operations - done;
  await agent.stop();
  rmSync(stateDir, { recursive: true });
  const edit = { messages: measured.messages / edits, dumps: measured.dumps };
  return { start, recordEditMs, intakeMs, verdictMs, edit, verify, busyVerify, verifyWrites };
}

class WatchedAgent {
  desired: Desired;
  readonly verdicts = new HeldVerdicts();
  readonly counters: Counters = newCounters();
  readonly messages: WatchedDataplane['counters'];
  /** Of the last reading. */
  readMs = Number.NaN;
  readonly #kernel: KernelDriver;
  readonly #reconciler: Reconciler;
  #acknowledgedAt = Number.NaN;
  #passed: () => void = () => undefined;

  constructor(stateDir: string, desired: Desired, watched: WatchedDataplane, addresses: InterfaceAddresses) {
    this.desired = desired;
    this.messages = watched.counters;
    const deps = { clock: systemClock, log: silentLog, counters: this.counters };
    const dataplane = this.#watched(watched.dataplane);
    this.#kernel = new KernelDriver({
      open: () => Promise.resolve({ dataplane, addresses, neighbors: noNeighbors, marks: noPacketMarks }),
      journalFile: new JournalFile(stateDir, deps),
      ...deps,
    });
    this.#reconciler = new Reconciler({
      accepted: () => this.desired,
      kernel: this.#kernel,
      settings: new SettingsDriver({
        open: () => Promise.resolve(null),
        file: new SettingsFile(stateDir, deps),
        ...deps,
      }),
      advice: new HostAdvice({ sysctls: new SysctlFiles(), clock: systemClock }),
      routes: new RouteDriver({ speaker: new RecordingSpeaker(), log: silentLog }),
      checks: this.verdicts,
      savedHealth: null,
      bgp: { routerId: null, restarting: false, resolveSecret: () => ok('') },
      random: Math.random,
      ...deps,
    });
    this.#reconciler.onPass(() => {
      this.#passed();
    });
  }

  /** One pass. @returns milliseconds from the poke to the last ACK (NaN without one), and to the end of the pass */
  async pass(poke: () => void = this.#reconciler.poke): Promise<{ readonly ackMs: number; readonly passMs: number }> {
    const passed = new Promise<void>((resolve) => {
      this.#passed = resolve;
    });
    this.#acknowledgedAt = Number.NaN;
    const start = performance.now();
    poke();
    await passed;
    return { ackMs: this.#acknowledgedAt - start, passMs: performance.now() - start };
  }

  /** One pass with another set of records. @returns milliseconds from the poke to the ACK */
  async follow(desired: Desired): Promise<number> {
    this.desired = desired;
    return (await this.pass()).ackMs;
  }

  /** One pass with another verdict on one real, down and up in turns. @returns milliseconds from the poke to the ACK */
  async turn(count: number): Promise<number> {
    return (await this.pass(() => this.verdicts.turn(count % 2 === 0 ? 'down' : 'up', 37 * Math.floor(count / 2))))
      .ackMs;
  }

  /** As an operator asks for it who has not just done so. */
  async verify(): Promise<number> {
    const start = performance.now();
    const outcome = await this.#reconciler.verify();
    const ms = performance.now() - start;
    check(outcome.ok && outcome.value.compared, 'the kernel was read and compared');
    await pause(REST * ms);
    return ms;
  }

  async stop(): Promise<void> {
    await this.#reconciler.stop();
    await this.#kernel.close();
  }

  #watched(inner: Dataplane): Dataplane {
    return {
      name: inner.name,
      read: async () => {
        const start = performance.now();
        const state = await inner.read();
        this.readMs = performance.now() - start;
        return state;
      },
      readServices: (matches) => inner.readServices(matches),
      info: () => inner.info(),
      apply: async (ops) => {
        const report = await inner.apply(ops);
        this.#acknowledgedAt = performance.now();
        return report;
      },
      close: () => inner.close(),
    };
  }
}
