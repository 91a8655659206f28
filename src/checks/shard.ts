import { describeError } from '../core/errors.ts';
import type { Cancel, Clock, Random } from '../core/ports.ts';
import { assertNever } from '../core/result.ts';
import type { CheckType } from './definition.ts';
import { jitterOf } from './definition.ts';
import { LoopWatch } from './loop-watch.ts';
import type { ProbeOutcome } from './outcome.ts';
import { formatMs } from './outcome.ts';
import type { CheckDefinition } from './port.ts';
import type { Endpoint, ProbeContext, Prober } from './prober.ts';
import { endpointText } from './prober.ts';
import type { FromShard, JudgeSpec, Notice, ShardCounts, ToShard } from './protocol.ts';
import { BATCH_LIMIT } from './protocol.ts';
import type { Recurring, Rhythm, SchedulerLimits } from './scheduler.ts';
import { DEFAULT_LIMITS, Scheduler } from './scheduler.ts';
import { TrustStore } from './trust.ts';
import type { Judgement, Thresholds } from './verdict.ts';
import { firstVerdict, judge, judgementFrom } from './verdict.ts';
import type { OpenZnodes } from './znodes.ts';

export interface ShardDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly types: ReadonlyMap<string, CheckType>;
  readonly limits?: SchedulerLimits;
  /** Absent where nobody can ask ZooKeeper. */
  readonly znodes?: OpenZnodes;
  readonly send: (message: FromShard) => void;
}

/** What all probes of a definition share. */
interface PreparedDefinition extends Rhythm {
  readonly timeoutMs: number;
  readonly prober: Prober;
}

interface Probe extends Recurring, Endpoint {
  readonly id: number;
  readonly definition: PreparedDefinition;
  judges: readonly Judge[];
  /** Lets go of what its check keeps of it. */
  release: (() => void) | undefined;
}

const noZnodes: OpenZnodes = () => Promise.reject(new Error('nobody here can ask ZooKeeper'));

/**
 * The figures of the last probe are NaN before the first, and never null: a field that is always a number is written
 * in place, where another is given a new object for each number, five thousand times a second.
 */
interface Judge extends Thresholds {
  readonly id: number;
  readonly probe: Probe;
  judgement: Judgement;
  /** Milliseconds. */
  latencyMs: number;
  /** Wall-clock milliseconds. */
  at: number;
  /** The first result of this judge has been told. */
  told: boolean;
}

/** A change is told after at most this time, together with all others of that time. */
const FLUSH_MS = 20;
/** Every verdict is told again once in this time, a share of them each step: a lost notice heals. */
const REFRESH_MS = 15_000;
const REFRESH_STEPS = 20;
/** Starts that come later than this are a sign of too much work for this thread. */
const BEHIND_MS = 1_000;
/** One complaint of a kind in this time. */
const COMPLAINT_EVERY_MS = 60_000;

/**
 * Probes its share of the targets and forms verdicts on them. It knows nothing of threads: it takes messages and
 * sends messages.
 */
export class Shard {
  readonly #deps: ShardDeps;
  readonly #context: ProbeContext;
  readonly #loop: LoopWatch;
  readonly #scheduler: Scheduler<Probe>;
  readonly #definitions = new Map<number, PreparedDefinition>();
  readonly #probes = new Map<number, Probe>();
  readonly #judges = new Map<number, Judge>();
  readonly #changed = new Set<Judge>();
  readonly #complainedAt = new Map<string, number>();
  #refreshing = this.#judges.values();
  #cancelFlush: Cancel | undefined;
  #cancelRefresh: Cancel | undefined;
  #succeeded = 0;
  #failed = 0;
  #notRun = 0;

  constructor(deps: ShardDeps) {
    this.#deps = deps;
    const trust = new TrustStore(deps.clock, (problem) =>
      this.#complain('warn', 'TLS material of a check cannot be read again', { problem }),
    );
    this.#context = { clock: deps.clock, trust, znodes: deps.znodes ?? noZnodes };
    this.#loop = new LoopWatch(deps.clock);
    this.#scheduler = new Scheduler(deps, deps.limits ?? DEFAULT_LIMITS, (probe) => this.#run(probe));
    this.#loop.start();
    this.#armRefresh();
  }

  receive(message: ToShard): void {
    switch (message.kind) {
      case 'define':
        this.#define(message.id, message.definition);
        return;
      case 'undefine':
        this.#definitions.delete(message.id);
        if (this.#definitions.size === 0) this.#context.trust.clear();
        return;
      case 'add':
        this.#add(message.judges);
        return;
      case 'drop':
        for (const id of message.judges) this.#drop(id);
        return;
      case 'ping':
        this.#deps.send({ kind: 'pong', counts: this.#counts() });
        return;
      case 'stop':
        this.stop();
        return;
      default:
        assertNever(message);
    }
  }

  /** Starts nothing more. Probes under way end by themselves; nobody is told. */
  stop(): void {
    this.#scheduler.stop();
    this.#loop.stop();
    this.#cancelFlush?.();
    this.#cancelRefresh?.();
    this.#judges.clear();
    for (const probe of this.#probes.values()) probe.release?.();
    this.#probes.clear();
  }

  #define(id: number, definition: CheckDefinition): void {
    const type = this.#deps.types.get(definition.type);
    const unknown: Prober = () =>
      Promise.resolve({ kind: 'notRun', cause: `there is no check type "${definition.type}"` });
    const { intervalMs, timeoutMs } = definition;
    const prober = type?.prober(definition) ?? unknown;
    this.#definitions.set(id, { intervalMs, timeoutMs, jitter: jitterOf(definition), prober });
  }

  #add(specs: readonly JudgeSpec[]): void {
    const fresh: Probe[] = [];
    const now = this.#deps.clock.now();
    for (const spec of specs) {
      let probe = this.#probes.get(spec.probe);
      if (probe === undefined) {
        probe = this.#newProbe(spec);
        if (probe === undefined) continue;
        this.#probes.set(spec.probe, probe);
        fresh.push(probe);
      }
      const { id, rise, fall, seed } = spec;
      const judgement = judgementFrom(seed ?? firstVerdict(now), seed?.judged ?? false);
      const figures = { latencyMs: seed?.latencyMs ?? NaN, at: seed?.at ?? NaN };
      const added: Judge = { id, probe, rise, fall, judgement, ...figures, told: false };
      probe.judges = probe.judges.concat(added);
      this.#judges.set(id, added);
    }
    this.#scheduler.add(fresh);
  }

  #newProbe({ probe: id, definition: definedAs, address, port }: JudgeSpec): Probe | undefined {
    const definition = this.#definitions.get(definedAs);
    if (definition === undefined) {
      const fields = { definition: definedAs, address, port };
      this.#complain('error', 'a check came without its definition', fields);
      return undefined;
    }
    const probe: Probe = {
      id,
      address,
      port,
      definition,
      judges: [],
      release: undefined,
      dueAt: 0,
      slot: -1,
      nominalAt: 0,
      removed: false,
    };
    probe.release = definition.prober.hold?.(probe, this.#context);
    return probe;
  }

  #drop(id: number): void {
    const dropped = this.#judges.get(id);
    if (dropped === undefined) return;
    const { probe } = dropped;
    this.#judges.delete(id);
    this.#changed.delete(dropped);
    probe.judges = probe.judges.filter((other) => other !== dropped);
    if (probe.judges.length > 0) return;
    this.#probes.delete(probe.id);
    this.#scheduler.remove(probe);
    probe.release?.();
  }

  async #run(probe: Probe): Promise<void> {
    const startedAt = this.#deps.clock.monotonic();
    let outcome: ProbeOutcome;
    try {
      outcome = this.#believable(await probe.definition.prober(probe, this.#context), probe, startedAt);
    } catch (error) {
      const target = endpointText(probe);
      this.#complain('error', 'a probe broke', { target, error: describeError(error) });
      outcome = { kind: 'notRun', cause: `defect in the check: ${describeError(error)}` };
    }
    this.#count(outcome);
    const now = this.#deps.clock.now();
    for (const each of probe.judges) {
      const before = each.judgement.state;
      each.judgement = judge(each.judgement, outcome, each, now);
      if (outcome.kind !== 'notRun') each.latencyMs = outcome.latencyMs;
      each.at = now;
      if (each.told && before === each.judgement.state) continue;
      each.told = true;
      this.#changed.add(each);
      this.#cancelFlush ??= this.#deps.clock.after(FLUSH_MS, () => this.#flush());
    }
  }

  /** What did not come in time proves nothing if this thread slept through half of that time. */
  #believable(outcome: ProbeOutcome, probe: Probe, startedAt: number): ProbeOutcome {
    if (outcome.kind !== 'failure' || outcome.proof === 'answer') return outcome;
    const lateMs = this.#loop.worstSince(startedAt);
    if (lateMs <= probe.definition.timeoutMs / 2) return outcome;
    return { kind: 'notRun', cause: `the checking thread stood still for ${formatMs(lateMs)} meanwhile` };
  }

  #count(outcome: ProbeOutcome): void {
    if (outcome.kind === 'success') this.#succeeded++;
    else if (outcome.kind === 'failure') this.#failed++;
    else this.#notRun++;
  }

  #counts(): ShardCounts {
    const worstLateMs = this.#scheduler.takeWorstLateness();
    const inFlight = this.#scheduler.inFlight;
    if (worstLateMs > BEHIND_MS) {
      const fields = { worstLateMs: Math.round(worstLateMs), inFlight, probes: this.#probes.size };
      this.#complain('warn', 'checks start late: too many for this thread, or too many reals are silent', fields);
    }
    const { size: probes } = this.#probes;
    return { probes, inFlight, succeeded: this.#succeeded, failed: this.#failed, notRun: this.#notRun, worstLateMs };
  }

  #flush(): void {
    this.#cancelFlush = undefined;
    const notices = [...this.#changed].map(noticeOf);
    this.#changed.clear();
    this.#sendNotices(notices);
  }

  #armRefresh(): void {
    this.#cancelRefresh = this.#deps.clock.after(REFRESH_MS / REFRESH_STEPS, () => {
      const share = Math.ceil(this.#judges.size / REFRESH_STEPS);
      const notices: Notice[] = [];
      while (notices.length < share) {
        const next = this.#refreshing.next();
        if (next.done === true) {
          this.#refreshing = this.#judges.values();
          break;
        }
        notices.push(noticeOf(next.value));
      }
      this.#sendNotices(notices);
      this.#armRefresh();
    });
  }

  #sendNotices(notices: readonly Notice[]): void {
    for (let at = 0; at < notices.length; at += BATCH_LIMIT) {
      this.#deps.send({ kind: 'notices', notices: notices.slice(at, at + BATCH_LIMIT) });
    }
  }

  #complain(level: 'warn' | 'error', message: string, fields: object): void {
    const now = this.#deps.clock.monotonic();
    const last = this.#complainedAt.get(message);
    if (last !== undefined && now - last < COMPLAINT_EVERY_MS) return;
    this.#complainedAt.set(message, now);
    this.#deps.send({ kind: 'log', level, fields, message });
  }
}

function noticeOf({ id, judgement, latencyMs, at }: Judge): Notice {
  const { state, since, cause } = judgement;
  return { id, state, since, cause, latencyMs: figure(latencyMs), at: figure(at) };
}

function figure(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}
