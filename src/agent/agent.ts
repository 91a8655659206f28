import type { CheckRunner } from '../checks/port.ts';
import type { Speaker } from '../bgp/port.ts';
import type { CodedError } from '../core/errors.ts';
import type { Cancel, Clock, Log, Random, Unsubscribe } from '../core/ports.ts';
import type { Result } from '../core/result.ts';
import type { IpAddress } from '../model/address.ts';
import type { RecordDecoder } from '../model/decode.ts';
import { DEFAULT_METRIC_LIMITS } from '../model/metric-limits.ts';
import type { MetricLimits } from '../model/metric-limits.ts';
import type { Problem } from '../model/problem.ts';
import type { StatusView } from '../model/status.ts';
import type { Sysctls } from '../ipvs/settings/sysctl-files.ts';
import type { Source } from '../sources/source.ts';
import { ConfigIntake } from './config-intake.ts';
import { newCounters } from './counters.ts';
import type { Counters } from './counters.ts';
import { HealthFile } from './health-file.ts';
import { History } from './history.ts';
import { HostAdvice } from './host-advice.ts';
import { JournalFile } from './journal-file.ts';
import { KernelDriver } from './kernel-driver.ts';
import type { OpenKernel } from './kernel-ports.ts';
import { LastKnownGoodFile } from './last-known-good.ts';
import { runSteps } from './lifecycle.ts';
import type { StopStep } from './lifecycle.ts';
import { publicationOf } from './publication.ts';
import { Publisher } from './publisher.ts';
import type { Publication } from './publisher.ts';
import { Reconciler } from './reconciler.ts';
import type { Verification } from './reconciler.ts';
import { RouteDriver } from './route-driver.ts';
import { RunFile } from './run-file.ts';
import { TrafficLedger } from './traffic-ledger.ts';
import { TrafficReader } from './traffic-reader.ts';
import { SettingsDriver } from './settings-driver.ts';
import type { OpenSettings } from './settings-driver.ts';
import { SettingsFile } from './settings-file.ts';
import { statusOverview, statusView } from './status-view.ts';
import type { StatusInput } from './status-view.ts';

export interface AgentOptions {
  readonly agent: string;
  readonly version: string;
  readonly stateDir: string;
  readonly sessionTimeoutMs: number;
  /** At the start the store gets this long before the last known good is put in force. */
  readonly storeWaitMs: number;
}

/** The leaves, each behind its port. */
export interface AgentParts {
  readonly source: Source;
  readonly decoder: RecordDecoder;
  readonly checks: CheckRunner;
  readonly speaker: Speaker;
  readonly openKernel: OpenKernel;
  readonly openSettings: OpenSettings;
  /** The host's own settings, which are only read. */
  readonly sysctls: Pick<Sysctls, 'read'>;
  /** What `routerId: auto` stands for. */
  readonly routerId: IpAddress | null;
  readonly resolveSecret: (reference: string) => Result<string, CodedError>;
  /** What is wrong with files of this machine that others see to. */
  readonly localProblems: () => readonly Problem[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

export type Departure =
  /** Withdraw, say goodbye; the kernel goes on forwarding unless `flush`. */
  | { readonly kind: 'stop'; readonly flush: boolean }
  /** Leave quietly, to be back at once: peers keep the routes, the store keeps the records. */
  | { readonly kind: 'restart' };

/** A change of health is on disk after this long; */
const HEALTH_SAVE_MS = 2_000;
/** and health that does not change is confirmed there this often, because only fresh health is restored. */
const HEALTH_CONFIRM_MS = 20_000;
const STEP_DEADLINE_MS = 5_000;

/** The agent without a process around it: all parts joined, started in order, stopped in the reverse order. */
export class Agent {
  readonly #options: AgentOptions;
  readonly #parts: AgentParts;
  readonly #counters: Counters = newCounters();
  readonly #startedAt: number;
  readonly #runFile: RunFile;
  readonly #healthFile: HealthFile;
  readonly #lastKnownGood: LastKnownGoodFile;
  readonly #intake: ConfigIntake;
  readonly #kernel: KernelDriver;
  readonly #settings: SettingsDriver;
  readonly #advice: HostAdvice;
  readonly #routes: RouteDriver;
  readonly #reconciler: Reconciler;
  readonly #publisher: Publisher;
  readonly #history: History;
  readonly #ledger = new TrafficLedger();
  readonly #traffic: TrafficReader;
  readonly #unsubscribe: Unsubscribe[] = [];
  #saving: Cancel | null = null;
  #healthChanged = false;
  #healthSavedAt = -Infinity;

  constructor(options: AgentOptions, parts: AgentParts) {
    this.#options = options;
    this.#parts = parts;
    const { clock, random, log, source } = parts;
    this.#startedAt = clock.now();
    const files = { clock, log };
    this.#runFile = new RunFile(options.stateDir, files);
    this.#healthFile = new HealthFile(options.stateDir, files);
    this.#lastKnownGood = new LastKnownGoodFile(options.stateDir, files);
    const before = this.#runFile.load();
    source.adoptSessions(before.sessions);
    this.#intake = new ConfigIntake(
      { agent: options.agent, storeWaitMs: options.storeWaitMs },
      { source, decoder: parts.decoder, file: this.#lastKnownGood, clock, random, log: log.child({ part: 'intake' }) },
    );
    this.#kernel = new KernelDriver({
      open: parts.openKernel,
      journalFile: new JournalFile(options.stateDir, files),
      counters: this.#counters,
      clock,
      log: log.child({ part: 'kernel' }),
    });
    this.#settings = new SettingsDriver({
      open: parts.openSettings,
      file: new SettingsFile(options.stateDir, files),
      counters: this.#counters,
      clock,
      log: log.child({ part: 'settings' }),
    });
    this.#advice = new HostAdvice({ sysctls: parts.sysctls, clock });
    this.#routes = new RouteDriver({ speaker: parts.speaker, log: log.child({ part: 'bgp' }) });
    this.#reconciler = new Reconciler({
      accepted: () => this.#intake.accepted(),
      kernel: this.#kernel,
      settings: this.#settings,
      advice: this.#advice,
      routes: this.#routes,
      checks: parts.checks,
      savedHealth: this.#healthFile.load(),
      bgp: { routerId: parts.routerId, restarting: before.restarting, resolveSecret: parts.resolveSecret },
      counters: this.#counters,
      clock,
      random,
      log: log.child({ part: 'reconciler' }),
    });
    this.#history = new History({ clock, log: log.child({ part: 'decisions' }) });
    this.#traffic = new TrafficReader({
      kernel: this.#kernel,
      view: () => this.#reconciler.view(),
      ledger: this.#ledger,
      clock,
      log: log.child({ part: 'traffic' }),
    });
    const { agent, sessionTimeoutMs } = options;
    this.#publisher = new Publisher(
      { agent, sessionTimeoutMs },
      { source, publication: () => this.#publication(), clock, log: log.child({ part: 'publisher' }) },
    );
  }

  get counters(): Readonly<Counters> {
    return this.#counters;
  }

  start(): void {
    const { source, speaker, checks } = this.#parts;
    this.#runFile.noteRunning();
    this.#unsubscribe.push(
      source.onState(() => this.#noteSession()),
      this.#intake.onChange(() => this.#reconciler.poke()),
      this.#intake.onChange(() => this.#publisher.poke()),
      this.#reconciler.onPass(() => this.#noteDecisions()),
      this.#reconciler.onPass(() => this.#traffic.noteReading()),
      this.#reconciler.onPass(() => this.#publisher.poke()),
      speaker.onChange(() => this.#publisher.poke()),
      checks.onChange(() => {
        this.#healthChanged = true;
      }),
    );
    source.start();
    this.#intake.start(this.#lastKnownGood.load());
    this.#saveHealthLater();
  }

  status(): StatusView {
    return statusView(this.#statusInput());
  }

  /** Reads counters and connections anew, if those there are are not fresh. Call it before a status that is shown. */
  freshen(): Promise<void> {
    return this.#traffic.fresh();
  }

  /** How many reals have metrics of their own. */
  metricLimits(): MetricLimits {
    return this.#intake.accepted()?.agent.metrics ?? DEFAULT_METRIC_LIMITS;
  }

  /** Reads the kernel now, compares it with what should be in force, mends it, and says what was found. */
  verify(): Promise<Result<Verification, CodedError>> {
    return this.#reconciler.verify();
  }

  /** Stops everything in order. Never fails; what cannot be stopped in time is logged and left. */
  async stop(departure: Departure): Promise<void> {
    const { source, speaker, checks, clock, log } = this.#parts;
    const restart = departure.kind === 'restart';
    const text = `vipkeeper ${this.#options.version} on ${this.#options.agent} was stopped`;
    this.#saving?.();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    const steps: StopStep[] = [
      { name: 'intake', run: () => this.#intake.stop() },
      { name: 'reconciler', run: () => this.#reconciler.stop() },
      { name: 'health file', run: () => done(() => this.#saveHealth()) },
      { name: 'speaker', run: () => speaker.stop(restart ? { kind: 'restart' } : { kind: 'stop', text }) },
      { name: 'publisher', run: () => this.#publisher.stop() },
      { name: 'source', run: () => source.close({ keepEphemeral: restart }) },
      { name: 'checks', run: () => checks.close() },
    ];
    if (departure.kind === 'stop') {
      steps.push({ name: 'run file', run: () => done(() => this.#runFile.noteStopped()) });
      if (departure.flush) {
        steps.push({ name: 'kernel flush', run: () => this.#kernel.flush() });
        steps.push({ name: 'settings restored', run: () => this.#settings.restore() });
      }
    }
    steps.push({ name: 'settings', run: () => this.#settings.close() });
    steps.push({ name: 'kernel', run: () => this.#kernel.close() });
    await runSteps(steps, STEP_DEADLINE_MS, { clock, log });
  }

  #statusInput(): StatusInput {
    const { source } = this.#parts;
    return {
      agent: this.#options.agent,
      version: this.#options.version,
      pid: process.pid,
      startedAt: this.#startedAt,
      now: this.#parts.clock.now(),
      sourceName: source.name,
      session: source.state(),
      publishing: this.#publisher.state(),
      intake: this.#intake.view(),
      accepted: this.#intake.accepted(),
      pass: this.#reconciler.view(),
      passFailure: this.#reconciler.failure(),
      verdicts: this.#parts.checks.verdicts(),
      kernel: this.#kernel.report(),
      settings: this.#settings.report(),
      advice: [...this.#advice.problems(), ...this.#parts.localProblems()],
      peers: this.#routes.peers(),
      routeFailures: this.#routes.failures(),
      counters: this.#counters,
      history: this.#history.recent(),
      ledger: this.#ledger,
      countedAt: this.#traffic.countedAt(),
    };
  }

  #noteDecisions(): void {
    const pass = this.#reconciler.view();
    if (pass !== null) this.#history.note(pass);
  }

  #noteSession(): void {
    const state = this.#parts.source.state();
    if (state.kind === 'connected') this.#runFile.noteSession(state.session);
  }

  #publication(): Publication {
    return publicationOf(statusOverview(this.#statusInput()), this.#reconciler.view(), this.#kernel.report());
  }

  #saveHealthLater(): void {
    const { clock } = this.#parts;
    this.#saving = clock.after(HEALTH_SAVE_MS, () => {
      const due = clock.monotonic() - this.#healthSavedAt >= HEALTH_CONFIRM_MS;
      if (this.#healthChanged || due) this.#saveHealth();
      this.#saveHealthLater();
    });
  }

  /** Before the first pass there is no health, and the file of the run before is still the best there is. */
  #saveHealth(): void {
    if (this.#reconciler.view() === null) return;
    this.#healthChanged = false;
    this.#healthSavedAt = this.#parts.clock.monotonic();
    this.#healthFile.save(this.#reconciler.health());
  }
}

/** A step that has nothing to wait for. */
function done(work: () => void): Promise<void> {
  work();
  return Promise.resolve();
}
