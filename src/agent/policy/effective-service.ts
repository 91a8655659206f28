import type { ActualDestination, DataplaneState, DestinationKey } from '../../ipvs/dataplane.ts';
import type { SharedTexts } from '../../core/shared-texts.ts';
import { sameDestination } from '../../ipvs/equality.ts';
import type { AdminState } from '../../model/records/service.ts';
import type { DesiredReal, DesiredService } from './desired-state.ts';
import { describeDrain, describeWholeDrain } from './drains.ts';
import type {
  EffectiveReal,
  EffectiveService,
  Outgoing,
  RealVerdict,
  WantedDestination,
  WantedService,
} from './effective-state.ts';
import type { ExpandedDestination, ExpandedKernelService } from './expansion.ts';
import { keptByFloor } from './floor.ts';
import type { DrainMemory, RealMemory, ServiceMemory } from './health-memory.ts';
import type { JudgeInput, JudgedReal } from './judged-real.ts';
import { judgeReal } from './judged-real.ts';
import { KernelWeights, sorryHasTraffic } from './kernel-weights.ts';
import type { PreparedReal, PreparedService } from './prepared.ts';
import { judgeQuorum } from './quorum.ts';
import type { Share } from './real-share.ts';
import { shareOf } from './real-share.ts';

export interface ServiceInput extends JudgeInput {
  readonly actual: DataplaneState | null;
  readonly monotonic: number;
}

/** The decision of the pass before. What comes out as it was is the very same object; it changes nothing else. */
export interface LastDecision {
  readonly decision: ServiceDecision;
  /** Keys of the verdicts that are others than they were then. */
  readonly changed: ReadonlySet<string>;
}

export interface ServiceDecision {
  readonly effective: EffectiveService;
  readonly kernel: readonly WantedService[];
  readonly memory: ServiceMemory;
  /** Milliseconds until a ramp takes its next step; null = none is under way. */
  readonly nextChangeMs: number | null;
  /**
   * It comes out the same as long as records, verdicts, drains and memory are the same: nothing in it goes with the
   * time (a ramp, a disabled real, of which nothing is remembered), and the kernel, which is asked about reals without
   * a verdict or in a new drain, has been read.
   */
  readonly lasting: boolean;
}

/** Decides on one service: precedence is disabled, then drain, then verdict, then floor. */
export function decideService(
  prepared: PreparedService,
  before: ServiceMemory | null,
  input: ServiceInput,
  last: LastDecision | null = null,
): ServiceDecision {
  const { service } = prepared;
  const realsBefore = last?.decision.effective.reals;
  const { state, reason } = serviceState(service, input);
  const weights = new KernelWeights(prepared, input.actual);
  const memories = new Map(before?.reals.map((memory) => [memory.key, memory]));
  const judged = prepared.reals.map((one) => {
    const memory = memories.get(one.memoryKey) ?? null;
    const known = last === null ? undefined : sameVerdict(one, realsBefore?.get(one.real.name), last.changed);
    return judgeReal(service, one, memory, () => weights.of(one.real.name), input, known);
  });
  const enabled = judged.filter((one) => one.state === 'enabled');
  const quorumBefore = before === null ? null : { state: before.quorum, since: before.quorumSince };
  const voters = judged.map((one) => ({ weight: one.real.weight, counts: one.state === 'enabled' && one.good }));
  const quorum = judgeQuorum(service.quorum, voters, quorumBefore, input.now);
  const waiting = enabled.some(({ undecided, good, real }) => undecided && !good && real.weight > 0);
  const lost = state === 'enabled' && quorum.state === 'lost';
  // Before the first verdicts a lost quorum proves nothing, so the sorry server waits for them.
  const hadTraffic = before?.sorry ?? sorryHasTraffic(prepared, input.actual);
  const sorry = service.sorry !== null && lost && (!waiting || hadTraffic);
  const kept = keptByFloor(service.health.floor, enabled.filter(({ real }) => real.weight > 0).map(candidateOf));
  const shares = judged.map((one) => shareOf(one, service, kept.has(one.real.name), sorry, weights, input));
  const byName = new Map<string, Share>();
  const reals = new Map<string, EffectiveReal>();
  for (const share of shares) {
    const { name } = share.judged.real;
    byName.set(name, share);
    reals.set(name, effectiveReal(share, realsBefore?.get(name), input.texts));
  }
  const kernel = prepared.kernel.map((one, index) => {
    return wantedService(service, one, byName, sorry, waiting, input.actual, last?.decision.kernel[index]);
  });
  const nextChangeMs = shares.reduce<number | null>((least, { nextMs }) => earlier(least, nextMs), null);
  return {
    effective: {
      name: service.name,
      vip: service.vip,
      state,
      stateReason: reason,
      quorum,
      serving: state === 'enabled' && quorum.state === 'held',
      sorry,
      kernelKeys: prepared.kernel.map(({ key }) => key),
      drainTimeoutMs: service.drain.timeoutMs,
      reals,
      held: service.held,
    },
    kernel,
    memory: unlessSame(before, {
      kernelKey: prepared.kernel[0]?.key ?? null,
      quorum: quorum.state,
      quorumSince: quorum.since,
      sorry,
      reals: memoryOf(shares, before?.reals ?? []),
    }),
    nextChangeMs,
    lasting:
      nextChangeMs === null &&
      input.actual !== null &&
      judged.every((one) => !one.undecided && one.state !== 'disabled'),
  };
}

export function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

function serviceState(
  service: DesiredService,
  { drains, agent }: ServiceInput,
): { readonly state: AdminState; readonly reason: string } {
  if (service.state === 'disabled') return { state: 'disabled', reason: 'disabled by its record' };
  const drain = drains.ofService(service, agent);
  if (drain?.by === 'service') return { state: 'drain', reason: describeDrain(drain.drain) };
  if (service.state === 'drain') return { state: 'drain', reason: 'drained by its record' };
  if (drain !== undefined) return { state: 'drain', reason: describeWholeDrain(drain) };
  return { state: 'enabled', reason: service.held ? 'its deletion is held' : 'enabled' };
}

function candidateOf({ real, good, decided, decidedSince, before }: JudgedReal) {
  return {
    name: real.name,
    isIn: good,
    isDown: decided === 'down',
    wasKept: before?.kept === true,
    since: decidedSince,
  };
}

function wantedService(
  service: DesiredService,
  expanded: ExpandedKernelService,
  shares: ReadonlyMap<string, Share>,
  sorry: boolean,
  waiting: boolean,
  actual: DataplaneState | null,
  before: WantedService | undefined,
): WantedService {
  const destinations = new Map<DestinationKey, WantedDestination>();
  const out = new Map<DestinationKey, Outgoing>();
  const there = actual?.get(expanded.key)?.destinations;
  for (const destination of expanded.destinations) {
    const share = destination.real === null ? undefined : shares.get(destination.real);
    if (share === undefined) continue;
    if (share.removal !== null) {
      out.set(destination.key, { removal: share.removal, real: destination.real });
      continue;
    }
    const actual = there?.get(destination.key);
    const weight = share.weight ?? weightAsItIs(actual, share.judged.real);
    const known = before?.destinations.get(destination.key);
    destinations.set(destination.key, wantedDestination(destination, weight, share.judged.real, known, actual));
  }
  if (expanded.sorry !== null) placeSorry(expanded.sorry, sorry, destinations, out);
  return {
    key: expanded.key,
    service: service.name,
    kernel: expanded.kernel,
    destinations,
    out,
    drainTimeoutMs: service.drain.timeoutMs,
    pending: waiting,
  };
}

/** What the kernel has; where it has none, as under a kernel service that is new, what the record says. */
function weightAsItIs(there: ActualDestination | undefined, real: DesiredReal): number {
  const weight = there?.destination.weight ?? 0;
  return weight > 0 ? weight : real.weight;
}

/** Made of what was wanted before or, where that is what the kernel has, of the same object: there are many. */
function wantedDestination(
  { real, address, port, forwarding }: ExpandedDestination,
  weight: number,
  thresholds: Pick<DesiredReal, 'upperThreshold' | 'lowerThreshold'>,
  before?: WantedDestination,
  actual?: ActualDestination,
): WantedDestination {
  const { upperThreshold, lowerThreshold } = thresholds;
  const destination = { address, port, weight, forwarding, upperThreshold, lowerThreshold };
  if (before?.real === real && sameDestination(before.destination, destination)) return before;
  const isActual = actual !== undefined && sameDestination(actual.destination, destination);
  return { real, destination: isActual ? actual.destination : destination };
}

/** The sorry server may be one of the reals; then it is that real, with a weight. */
function placeSorry(
  sorry: ExpandedDestination,
  active: boolean,
  destinations: Map<DestinationKey, WantedDestination>,
  out: Map<DestinationKey, Outgoing>,
): void {
  const real = destinations.get(sorry.key);
  if (!active) {
    if (real === undefined && !out.has(sorry.key)) out.set(sorry.key, { removal: 'quiesce', real: null });
    return;
  }
  out.delete(sorry.key);
  if (real === undefined) {
    destinations.set(sorry.key, wantedDestination(sorry, 1, { upperThreshold: 0, lowerThreshold: 0 }));
    return;
  }
  const weight = Math.max(1, real.destination.weight);
  destinations.set(sorry.key, { ...real, destination: { ...real.destination, weight } });
}

/** The verdict that the real had, if none of its checks says anything else by now. */
function sameVerdict(
  { checks }: PreparedReal,
  before: EffectiveReal | undefined,
  changed: ReadonlySet<string>,
): RealVerdict | undefined {
  if (before?.checks !== checks || before.state === 'disabled') return undefined;
  return checks.some(({ wanted }) => changed.has(wanted.key)) ? undefined : before.verdict;
}

function effectiveReal(share: Share, before: EffectiveReal | undefined, texts: SharedTexts): EffectiveReal {
  const { real, checks, target, state, verdict, undecided } = share.judged;
  const now: EffectiveReal = {
    name: real.name,
    target,
    state,
    verdict,
    undecided,
    checks,
    configuredWeight: real.weight,
    weight: share.weight ?? share.inKernel,
    kept: share.kept,
    reason: real.held ? `${share.reason} (its deletion is held)` : share.reason,
    drainedSince: share.drain?.since ?? null,
    held: real.held,
  };
  return before !== undefined && sameReal(before, now) ? before : { ...now, reason: texts.of(now.reason) };
}

function sameReal(a: EffectiveReal, b: EffectiveReal): boolean {
  return (
    a.verdict === b.verdict &&
    a.undecided === b.undecided &&
    a.checks === b.checks &&
    a.weight === b.weight &&
    a.configuredWeight === b.configuredWeight &&
    a.state === b.state &&
    a.kept === b.kept &&
    a.drainedSince === b.drainedSince &&
    a.held === b.held &&
    a.target === b.target &&
    a.name === b.name &&
    a.reason === b.reason
  );
}

/** The very same object where nothing changed: that is how the next pass knows. */
function unlessSame(before: ServiceMemory | null, after: ServiceMemory): ServiceMemory {
  if (before === null) return after;
  const { kernelKey, quorum, quorumSince, sorry, reals } = after;
  const same =
    before.kernelKey === kernelKey &&
    before.quorum === quorum &&
    before.quorumSince === quorumSince &&
    before.sorry === sorry &&
    before.reals === reals;
  return same ? before : after;
}

/** The very same memory where nothing changed, so that a pass over many reals makes little garbage. */
function memoryOf(shares: readonly Share[], before: readonly RealMemory[]): readonly RealMemory[] {
  const memory: RealMemory[] = [];
  let changed = false;
  for (const { judged, weight, inKernel, kept, rampStart, drain } of shares) {
    if (judged.state === 'disabled') continue;
    const { memoryKey: key, decided, decidedSince: since, presumed, verdict, before: old } = judged;
    const cause = verdict.state === 'unknown' ? (old?.cause ?? verdict.cause) : verdict.cause;
    const next = { key, decided, since, cause, presumed, inPool: (weight ?? inKernel) > 0, kept, rampStart, drain };
    const same = old !== null && sameMemory(old, next);
    changed ||= !same;
    memory.push(same ? old : next);
  }
  return !changed && memory.length === before.length ? before : memory;
}

function sameMemory(a: RealMemory, b: RealMemory): boolean {
  return (
    a.decided === b.decided &&
    a.since === b.since &&
    a.cause === b.cause &&
    a.presumed === b.presumed &&
    a.inPool === b.inPool &&
    a.kept === b.kept &&
    a.rampStart === b.rampStart &&
    sameDrain(a.drain, b.drain)
  );
}

function sameDrain(a: DrainMemory | null, b: DrainMemory | null): boolean {
  if (a === null || b === null) return a === b;
  return a.since === b.since && a.startedAt === b.startedAt && a.from === b.from;
}
