import { Worker } from 'node:worker_threads';
import { Backoff } from '../core/backoff.ts';
import { CodedError, describeError } from '../core/errors.ts';
import type { Cancel, Clock, Log, Random, Unsubscribe } from '../core/ports.ts';
import { assertNever } from '../core/result.ts';
import { workerEntry } from '../core/worker-entry.ts';
import type { PeerSettings, PeerStatus, Route, Speaker, SpeakerSettings, StopMode } from './port.ts';
import { RouteMemory } from './route-delta.ts';
import type { FromWorker, ToWorker } from './worker-protocol.ts';
import { WorkerWatch } from './worker-watch.ts';

/** The part of a worker thread that the proxy uses. */
export interface SpeakerWorker {
  on(event: 'message', listener: (message: FromWorker) => void): unknown;
  on(event: 'error', listener: (error: unknown) => void): unknown;
  on(event: 'exit', listener: (code: number) => void): unknown;
  postMessage(message: ToWorker): void;
  terminate(): Promise<unknown>;
}

export interface SpeakerDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Starts the thread; tests put something else in its place. */
  readonly spawn?: () => SpeakerWorker;
}

/** Routers wait for the restart time, often 30 s, so the first attempts come quickly. */
const RESTART_BACKOFF = { firstMs: 100, maxMs: 10_000, factor: 2, jitter: 0.25 };
/** A small young generation keeps the resident size down; the old one holds a hundred thousand routes many times over. */
const RESOURCE_LIMITS = { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 256 };
/** A worker that has run this long is not the cause of its own end. */
const STABLE_MS = 60_000;
/** A worker that hangs must not hold up whoever waits for a flush any longer than this beyond its time. */
const ANSWER_GRACE_MS = 1_000;
/** Longer than the withdrawals, the Cease and its delivery can take together. */
const STOP_DEADLINE_MS = 8000;

/** The speaker of this process: sessions in a worker thread, this side answers from what the worker told last. */
export function createSpeaker(deps: SpeakerDeps): Speaker {
  return new WorkerSpeaker(deps);
}

function spawnWorker(): SpeakerWorker {
  const { file, execArgv } = workerEntry('../bgp/worker', import.meta.url);
  return new Worker(file, { execArgv, name: 'vipkeeper-bgp', resourceLimits: RESOURCE_LIMITS });
}

class WorkerSpeaker implements Speaker {
  readonly #deps: SpeakerDeps;
  readonly #backoff: Backoff;
  readonly #routes = new RouteMemory();
  readonly #listeners = new Set<() => void>();
  readonly #flushes = new Map<number, (flushed: boolean) => void>();
  #worker: SpeakerWorker | null = null;
  #settings: SpeakerSettings | null = null;
  #released = false;
  #peers: readonly PeerStatus[] = [];
  #lastDeath: string | null = null;
  readonly #watch: WorkerWatch;
  #hung = false;
  #nextFlush = 0;
  #restartPending = false;
  #cancelRestart: Cancel | undefined;
  #cancelStable: Cancel | undefined;
  #stopping: Promise<void> | null = null;
  #onStopped: (() => void) | undefined;

  constructor(deps: SpeakerDeps) {
    this.#deps = deps;
    this.#backoff = new Backoff(RESTART_BACKOFF, deps.random);
    this.#watch = new WorkerWatch(
      deps.clock,
      () => this.#tell({ kind: 'ping' }),
      () => {
        this.#hung = true;
        void this.#worker?.terminate();
      },
    );
  }

  configure(settings: SpeakerSettings | null): void {
    this.#settings = settings;
    if (this.#worker !== null) this.#tell({ kind: 'configure', settings });
    // An agent without BGP needs no thread for it.
    else if (settings !== null && !this.#restartPending && this.#stopping === null) this.#start();
    this.#forgetPeers();
  }

  setRoutes(routes: readonly Route[], flushTimeoutMs: number): Promise<{ readonly flushed: boolean }> {
    const delta = this.#routes.change(routes);
    if (this.#settings === null && this.#worker === null) return Promise.resolve({ flushed: true });
    // Routers may hold routes of a worker that died; the next one gets the whole set.
    if (this.#worker === null || this.#stopping !== null) return Promise.resolve({ flushed: false });
    const id = this.#nextFlush++;
    const answered = new Promise<{ readonly flushed: boolean }>((resolve) => {
      const answer = (flushed: boolean): void => {
        cancel();
        this.#flushes.delete(id);
        resolve({ flushed });
      };
      const cancel = this.#deps.clock.after(flushTimeoutMs + ANSWER_GRACE_MS, () => answer(false));
      this.#flushes.set(id, answer);
    });
    this.#tell({ kind: 'routes', id, delta, flushTimeoutMs });
    return answered;
  }

  releaseEndOfRib(): void {
    this.#released = true;
    this.#tell({ kind: 'releaseEndOfRib' });
  }

  peers(): readonly PeerStatus[] {
    return this.#peers;
  }

  onChange(poke: () => void): Unsubscribe {
    this.#listeners.add(poke);
    return () => void this.#listeners.delete(poke);
  }

  stop(mode: StopMode): Promise<void> {
    this.#stopping ??= this.#stop(mode);
    return this.#stopping;
  }

  async #stop(mode: StopMode): Promise<void> {
    this.#cancelRestart?.();
    this.#cancelStable?.();
    this.#watch.stop();
    const worker = this.#worker;
    if (worker === null) return;
    await new Promise<void>((resolve) => {
      const cancel = this.#deps.clock.after(STOP_DEADLINE_MS, () => {
        this.#deps.log.error({ mode: mode.kind }, 'the BGP worker did not stop in time and is terminated');
        resolve();
      });
      this.#onStopped = () => {
        cancel();
        resolve();
      };
      worker.postMessage({ kind: 'stop', mode });
    });
    await worker.terminate();
  }

  #start(): void {
    this.#restartPending = false;
    const worker = (this.#deps.spawn ?? spawnWorker)();
    this.#worker = worker;
    this.#hung = false;
    this.#watch.start();
    let cause: unknown;
    worker.on('message', (message) => {
      if (worker === this.#worker) this.#heard(message);
    });
    worker.on('error', (error) => (cause = error));
    worker.on('exit', (code) => {
      if (worker === this.#worker) this.#died(cause ?? (this.#hung ? 'it had ceased to answer' : `exit code ${code}`));
    });
    this.#cancelStable = this.#deps.clock.after(STABLE_MS, () => this.#backoff.reset());
    this.#bringUpToDate();
  }

  /** Tells a new worker everything: it starts where the last one ended, and routers are told of a restart. */
  #bringUpToDate(): void {
    if (this.#settings === null) return;
    const restarting = this.#settings.restarting || this.#lastDeath !== null;
    this.#tell({ kind: 'configure', settings: { ...this.#settings, restarting } });
    const delta = this.#routes.whole();
    this.#tell({ kind: 'routes', id: this.#nextFlush++, delta, flushTimeoutMs: 0 });
    if (this.#released) this.#tell({ kind: 'releaseEndOfRib' });
  }

  #tell(message: ToWorker): void {
    if (this.#stopping === null) this.#worker?.postMessage(message);
  }

  #heard(message: FromWorker): void {
    this.#watch.heard();
    switch (message.kind) {
      case 'peers':
        this.#peers = message.peers;
        this.#changed();
        break;
      case 'flushed':
        this.#flushes.get(message.id)?.(message.flushed);
        break;
      case 'pong':
        break;
      case 'stopped':
        this.#onStopped?.();
        break;
      case 'log':
        this.#deps.log[message.level](message.fields, message.message);
        break;
      default:
        assertNever(message);
    }
  }

  #died(cause: unknown): void {
    const { clock, log } = this.#deps;
    this.#worker = null;
    this.#cancelStable?.();
    this.#watch.stop();
    for (const answer of this.#flushes.values()) answer(false);
    this.#onStopped?.();
    if (this.#stopping !== null) return;
    const error = new CodedError('WORKER_DIED', 'the BGP worker ended', { cause, transient: true });
    const delayMs = this.#backoff.next();
    log.error({ code: error.code, cause: describeError(cause), delayMs }, 'the BGP worker ended and is started again');
    this.#lastDeath = describeError(error);
    this.#peers = [];
    this.#forgetPeers();
    this.#restartPending = true;
    this.#cancelRestart = clock.after(delayMs, () => this.#start());
  }

  /** Until the worker has spoken of a peer, it is shown as what it is to us: not up. */
  #forgetPeers(): void {
    const known = new Map(this.#peers.map((status) => [status.name, status]));
    const now = this.#deps.clock.now();
    this.#peers = (this.#settings?.peers ?? []).map((peer) => known.get(peer.name) ?? this.#notUp(peer, now));
    this.#changed();
  }

  #notUp(peer: PeerSettings, since: number): PeerStatus {
    const { name, address, asn } = peer;
    return {
      name,
      address,
      asn,
      state: 'idle',
      since,
      announced: 0,
      endOfRibSent: false,
      lastError: this.#lastDeath,
      holdTimeMs: null,
      flaps: 0,
      received: 0,
      problems: [],
    };
  }

  #changed(): void {
    for (const poke of this.#listeners) poke();
  }
}
