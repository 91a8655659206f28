import type { ServiceKey } from '../../ipvs/dataplane.ts';
import type { Named } from './desired-state.ts';
import { mapNamed } from './desired-state.ts';

/**
 * What `effective` must remember from one pass to the next. Plain data: the health file keeps it over a restart.
 */
export interface HealthMemory {
  /** By service name. */
  readonly services: Named<ServiceMemory>;
}

export interface ServiceMemory {
  /** Its first kernel service, by which a renamed service is recognised; null = it had none. */
  readonly kernelKey: ServiceKey | null;
  readonly quorum: 'held' | 'lost';
  /** Wall-clock milliseconds. */
  readonly quorumSince: number;
  /** The sorry server has the traffic. */
  readonly sorry: boolean;
  /** A list, since an object with keys of its own takes more than all that is in it. */
  readonly reals: readonly RealMemory[];
}

export interface RealMemory {
  /** Its probe target, "10.0.0.1|80", so that a rename loses nothing and a new address inherits nothing. */
  readonly key: string;
  /** The last verdict that was not unknown; null = none yet. */
  readonly decided: 'up' | 'down' | null;
  /** Wall-clock milliseconds since when, and why. */
  readonly since: number;
  readonly cause: string;
  /** Before its first verdict: taken for up. null = not settled yet, because the kernel could not be read. */
  readonly presumed: boolean | null;
  /** It takes traffic, whatever the reason. */
  readonly inPool: boolean;
  /** The floor holds it. */
  readonly kept: boolean;
  /** Monotonic milliseconds at which its ramp began; null = it has its full weight. */
  readonly rampStart: number | null;
  /** null = it is not drained. */
  readonly drain: DrainMemory | null;
}

export interface DrainMemory {
  /** Wall-clock milliseconds. */
  readonly since: number;
  /** The same on the monotonic clock, which the weight follows. */
  readonly startedAt: number;
  /** The weight that it had in the kernel, from which it steps down. */
  readonly from: number;
}

export const emptyMemory: HealthMemory = { services: {} };

/**
 * Moves the ramps of a memory that was saved by an earlier process to this process's monotonic clock. The time in
 * between is taken from the wall clock, and counts as nothing if that went backwards.
 */
export function rebaseMemory(
  memory: HealthMemory,
  saved: { readonly monotonic: number; readonly wall: number },
  current: { readonly monotonic: number; readonly wall: number },
): HealthMemory {
  const shift = current.monotonic - saved.monotonic - Math.max(0, current.wall - saved.wall);
  const moveReal = (real: RealMemory): RealMemory => ({
    ...real,
    rampStart: real.rampStart === null ? null : real.rampStart + shift,
    drain: real.drain === null ? null : { ...real.drain, startedAt: real.drain.startedAt + shift },
  });
  const moveService = (service: ServiceMemory): ServiceMemory => ({
    ...service,
    reals: service.reals.map(moveReal),
  });
  return { services: mapNamed(memory.services, moveService) };
}
