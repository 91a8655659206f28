import { Agent } from '../../src/agent/agent.ts';
import type { Departure } from '../../src/agent/agent.ts';
import { checkCatalog } from '../../src/checks/decode.ts';
import type { VerdictState } from '../../src/checks/port.ts';
import { ok } from '../../src/core/result.ts';
import { RecordDecoder } from '../../src/model/decode.ts';
import type { StatusView } from '../../src/model/status.ts';
import { address } from './bgp-settings.ts';
import { HostKernel } from './host-kernel.ts';
import { ManualClock } from './manual-clock.ts';
import { MemorySource, MemoryStore } from './memory-store.ts';
import { RecordingLog } from './recording-log.ts';
import { RecordingSpeaker } from './recording-speaker.ts';
import type { StoreContent } from './records.ts';
import { SHOP } from './records.ts';
import { ScriptedRunner } from './scripted-runner.ts';
import { tempDir } from './temp-dir.ts';

const decoder = new RecordDecoder(checkCatalog);

/** The shop with one BGP peer. */
export const SHOP_WITH_BGP: StoreContent = {
  ...SHOP,
  'agents/lb1': { bgp: { asn: 65_010, peers: { tor1: { address: '10.1.0.1', asn: 65_000 } } } },
};

export const WEB = 'tcp|192.0.2.10|80';
export const ALL_UP: Readonly<Record<string, VerdictState>> = { '10.0.0.1': 'up', '10.0.0.2': 'up', '10.0.0.3': 'up' };

/** One process of the agent: what is lost with it. */
export class AgentRun {
  readonly agent: Agent;
  readonly source: MemorySource;
  readonly speaker: RecordingSpeaker;
  readonly checks: ScriptedRunner;

  constructor(world: AgentWorld, name: string) {
    const { clock, host, store, stateDir, log } = world;
    this.source = new MemorySource(store);
    this.speaker = new RecordingSpeaker(world.events);
    this.checks = new ScriptedRunner(clock);
    this.agent = new Agent(
      { agent: name, version: '0', stateDir, sessionTimeoutMs: 10_000, storeWaitMs: 5_000 },
      {
        source: this.source,
        decoder,
        checks: this.checks,
        speaker: this.speaker,
        openKernel: host.open,
        openSettings: host.openSettings,
        sysctls: { read: (name) => host.sysctls.get(name) ?? null },
        routerId: address('10.1.0.2'),
        resolveSecret: (reference) => ok(reference),
        localProblems: () => [],
        clock,
        random: () => 0,
        log,
      },
    );
  }

  status(): StatusView {
    return this.agent.status();
  }
}

/** What is there whether an agent runs or not: the store, the kernel, the state directory, time. */
export class AgentWorld {
  readonly events: string[] = [];
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  readonly stateDir = tempDir();
  readonly log = new RecordingLog();
  readonly host: HostKernel;

  constructor(content: StoreContent = SHOP_WITH_BGP, host: { readonly schedulers?: readonly string[] } = {}) {
    this.host = new HostKernel({ events: this.events, ...host });
    for (const [name, value] of Object.entries(content)) this.put(name, value);
  }

  put(name: string, value: unknown): void {
    this.store.put(`config/${name}`, value);
  }

  remove(name: string): void {
    this.store.remove(`config/${name}`);
  }

  /** Starts an agent and lets it take up what is there. */
  async start(verdicts: Readonly<Record<string, VerdictState>> = ALL_UP, name = 'lb1'): Promise<AgentRun> {
    const run = new AgentRun(this, name);
    run.agent.start();
    await this.pass(0);
    run.checks.find(verdicts);
    await this.pass(1_000);
    return run;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
    // What an advance of 0 has set going may take several turns of the event loop.
    await this.clock.advanceAsync(0);
    await this.clock.advanceAsync(0);
  }

  /** The process is gone from one moment to the next: nothing is said, nothing is written. */
  async kill(run: AgentRun): Promise<void> {
    const neverAgain = (): never => {
      throw new Error('a dead agent did something');
    };
    run.speaker.setRoutes = neverAgain;
    run.speaker.configure = neverAgain;
    this.clock.cancelAll();
    this.store.detach(run.source);
    await this.pass(0);
  }

  async stop(run: AgentRun, departure: Departure = { kind: 'stop', flush: false }): Promise<void> {
    const stopped = run.agent.stop(departure);
    await this.pass(0);
    await stopped;
  }

  /** What happened since the last time, in order: kernel operations, routes, flushes. */
  take(): string[] {
    return this.events.splice(0);
  }

  published(path: string): Record<string, unknown> | undefined {
    const record = this.store.ephemeral.get(path);
    return record && (JSON.parse(Buffer.from(record.bytes).toString()) as Record<string, unknown>);
  }
}
