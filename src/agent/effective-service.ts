import type { DataplaneState, DestinationKey } from '../ipvs/dataplane.ts';
import { formatEndpoint } from '../model/address.ts';
import type { AdminState } from '../model/records/service.ts';
import type { DesiredReal, DesiredService } from './desired-state.ts';
import { describeDrain } from './drains.ts';
import type { EffectiveReal, EffectiveService, Removal, WantedDestination, WantedService } from './effective-state.ts';
import type { ExpandedDestination, ExpandedKernelService, ExpandedService } from './expansion.ts';
import { keptByFloor } from './floor.ts';
import type { RealMemory, ServiceMemory } from './health-memory.ts';
import { named } from './desired-state.ts';
import type { JudgeInput, JudgedReal } from './judged-real.ts';
import { judgeReal } from './judged-real.ts';
import { targetOf } from './losses.ts';
import { probePortOf } from './probe-port.ts';
import { judgeQuorum } from './quorum.ts';
import { rampedWeight } from './ramp.ts';

export interface ServiceInput extends JudgeInput {
  readonly actual: DataplaneState | null;
  readonly monotonic: number;
}

export interface ServiceDecision {
  readonly effective: EffectiveService;
  readonly kernel: readonly WantedService[];
  readonly memory: ServiceMemory;
  /** Milliseconds until a ramp takes its next step; null = none is under way. */
  readonly nextChangeMs: number | null;
}

/** What one real gets in every kernel service of its service. */
interface Share {
  readonly judged: JudgedReal;
  /** null = what the kernel has, 0 if it has none. */
  readonly weight: number | null;
  /** The largest weight that it has in the kernel now. */
  readonly inKernel: number;
  /** How it leaves the kernel; null = it stays in. */
  readonly removal: Removal | null;
  readonly kept: boolean;
  readonly rampStart: number | null;
  readonly nextMs: number | null;
  readonly reason: string;
}

/** Decides on one service: precedence is disabled, then drain, then verdict, then floor. */
export function decideService(
  expanded: ExpandedService,
  before: ServiceMemory | null,
  input: ServiceInput,
): ServiceDecision {
  const { service } = expanded;
  const { state, reason } = serviceState(service, input);
  const weights = kernelWeights(expanded, input.actual);
  const judged = Object.values(service.reals).map((real) => {
    const memory = before === null ? undefined : named(before.reals, targetOf(real));
    return judgeReal(service, real, memory ?? null, (weights.get(real.name) ?? 0) > 0, input);
  });
  const enabled = judged.filter((one) => one.state === 'enabled');
  const quorumBefore = before === null ? null : { state: before.quorum, since: before.quorumSince };
  const voters = judged.map((one) => ({ weight: one.real.weight, counts: one.state === 'enabled' && one.good }));
  const quorum = judgeQuorum(service.quorum, voters, quorumBefore, input.now);
  const waiting = enabled.some(({ undecided, good, real }) => undecided && !good && real.weight > 0);
  const lost = state === 'enabled' && quorum.state === 'lost';
  // Before the first verdicts a lost quorum proves nothing, so the sorry server waits for them.
  const sorry = service.sorry !== null && lost && (!waiting || before?.sorry === true);
  const kept = keptByFloor(service.health.floor, enabled.filter(({ real }) => real.weight > 0).map(candidateOf));
  const shares = judged.map((one) => shareOf(one, service, kept.has(one.real.name), sorry, weights, input));
  const byName = new Map(shares.map((share) => [share.judged.real.name, share]));
  const kernel = expanded.kernel.map((one) => wantedService(service, one, byName, sorry, waiting, input.actual));
  const reals = shares.map((share) => effectiveReal(share, service));
  return {
    effective: {
      name: service.name,
      vip: service.vip,
      state,
      stateReason: reason,
      quorum,
      serving: state === 'enabled' && quorum.state === 'held',
      sorry,
      kernelKeys: expanded.kernel.map(({ key }) => key),
      reals: new Map(reals.map((real) => [real.name, real])),
      held: service.held,
    },
    kernel,
    memory: {
      kernelKey: expanded.kernel[0]?.key ?? null,
      quorum: quorum.state,
      quorumSince: quorum.since,
      sorry,
      reals: memoryOf(shares, reals),
    },
    nextChangeMs: shares.reduce<number | null>((least, { nextMs }) => earlier(least, nextMs), null),
  };
}

export function earlier(a: number | null, b: number | null): number | null {
  if (a === null || b === null) return a ?? b;
  return Math.min(a, b);
}

function serviceState(
  service: DesiredService,
  { drains }: ServiceInput,
): { readonly state: AdminState; readonly reason: string } {
  if (service.state === 'disabled') return { state: 'disabled', reason: 'disabled by its record' };
  const drain = drains.ofService(service.name);
  if (drain !== undefined) return { state: 'drain', reason: describeDrain(drain) };
  if (service.state === 'drain') return { state: 'drain', reason: 'drained by its record' };
  return { state: 'enabled', reason: service.held ? 'its deletion is held' : 'enabled' };
}

/** The largest weight of each real in the kernel, over the kernel services of its service. */
function kernelWeights(expanded: ExpandedService, actual: DataplaneState | null): ReadonlyMap<string, number> {
  const weights = new Map<string, number>();
  if (actual === null) return weights;
  for (const { key, destinations } of expanded.kernel) {
    const there = actual.get(key)?.destinations;
    if (there === undefined) continue;
    for (const { real, key: destinationKey } of destinations) {
      const weight = there.get(destinationKey)?.destination.weight;
      if (real !== null && weight !== undefined) weights.set(real, Math.max(weights.get(real) ?? 0, weight));
    }
  }
  return weights;
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

function shareOf(
  judged: JudgedReal,
  service: DesiredService,
  kept: boolean,
  sorry: boolean,
  weights: ReadonlyMap<string, number>,
  input: ServiceInput,
): Share {
  const { real, state, stateReason, verdict, undecided, good, before } = judged;
  const known = weights.get(real.name);
  const inKernel = known ?? 0;
  const out = { judged, weight: 0, inKernel, removal: null, kept: false, rampStart: null, nextMs: null };
  if (state === 'disabled') return { ...out, removal: 'quiesce', reason: stateReason };
  if (state === 'drain') return { ...out, reason: stateReason };
  const removal = service.health.whenDown === 'remove' ? ('now' as const) : null;
  if (!undecided && !good && !kept) return { ...out, removal, reason: `down: ${verdict.cause}` };
  if (real.weight === 0) return { ...out, reason: 'its weight is 0' };
  if (sorry) return { ...out, reason: 'the quorum is lost: the sorry server has the traffic' };
  if (kept) return { ...out, weight: real.weight, kept: true, reason: `kept by the floor, though ${verdict.cause}` };
  if (undecided && service.health.initial === 'unknown') {
    if (known === undefined) return { ...out, removal, weight: null, reason: `no verdict yet: ${verdict.cause}` };
    return { ...out, weight: null, reason: `no verdict yet: weight ${inKernel} stays as the kernel has it` };
  }
  const wasIn = before === null ? inKernel > 0 : before.inPool;
  const rampStart = wasIn ? (before?.rampStart ?? null) : input.monotonic;
  const { slowStartMs } = service.health;
  if (rampStart !== null && slowStartMs > 0) {
    const ramp = rampedWeight(real.weight, input.monotonic - rampStart, slowStartMs);
    if (ramp.nextMs !== null) {
      const reason = `ramping up: ${Math.round(ramp.share * 100)} % of ${real.weight}`;
      return { ...out, weight: ramp.weight, rampStart, nextMs: ramp.nextMs, reason };
    }
  }
  return { ...out, weight: real.weight, reason: upReason(judged) };
}

function upReason({ verdict, undecided }: JudgedReal): string {
  if (verdict.state === 'up') return `up: ${verdict.cause}`;
  if (undecided) return `no verdict yet: taken for up (${verdict.cause})`;
  return `last known up; now unknown: ${verdict.cause}`;
}

function wantedService(
  service: DesiredService,
  expanded: ExpandedKernelService,
  shares: ReadonlyMap<string, Share>,
  sorry: boolean,
  waiting: boolean,
  actual: DataplaneState | null,
): WantedService {
  const destinations = new Map<DestinationKey, WantedDestination>();
  const out = new Map<DestinationKey, Removal>();
  const there = actual?.get(expanded.key)?.destinations;
  for (const destination of expanded.destinations) {
    const share = destination.real === null ? undefined : shares.get(destination.real);
    if (share === undefined) continue;
    if (share.removal !== null) {
      out.set(destination.key, share.removal);
      continue;
    }
    const weight = share.weight ?? there?.get(destination.key)?.destination.weight ?? 0;
    destinations.set(destination.key, wantedDestination(destination, weight, share.judged.real));
  }
  if (expanded.sorry !== null) placeSorry(expanded.sorry, sorry, destinations, out);
  return { key: expanded.key, service: service.name, kernel: expanded.kernel, destinations, out, pending: waiting };
}

function wantedDestination(
  { real, address, port, forwarding }: ExpandedDestination,
  weight: number,
  thresholds: Pick<DesiredReal, 'upperThreshold' | 'lowerThreshold'>,
): WantedDestination {
  const { upperThreshold, lowerThreshold } = thresholds;
  return { real, destination: { address, port, weight, forwarding, upperThreshold, lowerThreshold } };
}

/** The sorry server may be one of the reals; then it is that real, with a weight. */
function placeSorry(
  sorry: ExpandedDestination,
  active: boolean,
  destinations: Map<DestinationKey, WantedDestination>,
  out: Map<DestinationKey, Removal>,
): void {
  const real = destinations.get(sorry.key);
  if (!active) {
    if (real === undefined && !out.has(sorry.key)) out.set(sorry.key, 'quiesce');
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

function effectiveReal(share: Share, service: DesiredService): EffectiveReal {
  const { real, state, verdict } = share.judged;
  const port = probePortOf(real, service);
  return {
    name: real.name,
    target: port === null ? real.address : formatEndpoint(real.address, port),
    state,
    verdict,
    configuredWeight: real.weight,
    weight: share.weight ?? share.inKernel,
    kept: share.kept,
    reason: real.held ? `${share.reason} (its deletion is held)` : share.reason,
    held: real.held,
  };
}

function memoryOf(shares: readonly Share[], reals: readonly EffectiveReal[]): Record<string, RealMemory> {
  const memory: [string, RealMemory][] = [];
  shares.forEach(({ judged, kept, rampStart }, index) => {
    if (judged.state === 'disabled') return;
    const { decided, decidedSince: since, verdict, before } = judged;
    const cause = verdict.state === 'unknown' ? (before?.cause ?? verdict.cause) : verdict.cause;
    const inPool = (reals[index]?.weight ?? 0) > 0;
    memory.push([targetOf(judged.real), { decided, since, cause, inPool, kept, rampStart }]);
  });
  return Object.fromEntries(memory);
}
