import type { DataplaneState } from '../../ipvs/dataplane.ts';
import type { Connections } from './connections.ts';
import { addConnections, connectionsOf, NO_CONNECTIONS } from './connections.ts';
import type { Drain } from './desired-state.ts';
import { isActive } from './drains.ts';
import type { Effective, EffectiveReal, EffectiveService } from './effective-state.ts';
import type { LeavingEntry } from './journal.ts';

/** How far a real is on its way out. */
export interface RealProgress {
  /** Wall-clock milliseconds; null = not begun, because the kernel could not be read. */
  readonly since: number | null;
  readonly connections: Connections;
  /** Wall-clock milliseconds at which it is deleted whatever is open; null = its weight is not 0 yet, or it is done. */
  readonly deadline: number | null;
  /** It is out of the kernel. */
  readonly done: boolean;
}

/** How far a drain is, over all that it drains on this agent. */
export interface DrainProgress extends RealProgress {
  readonly reals: number;
  readonly realsDone: number;
}

export interface ProgressInput {
  readonly effective: Effective;
  readonly leaving: readonly LeavingEntry[];
  /** null = not known, so that nothing is done. */
  readonly actual: DataplaneState | null;
}

/** Answers how far the drains are, from one picture of the kernel. */
export class DrainWatch {
  readonly #input: ProgressInput;
  /** By service. */
  readonly #leaving = new Map<string, LeavingEntry[]>();

  constructor(input: ProgressInput) {
    this.#input = input;
    for (const entry of input.leaving) {
      const known = this.#leaving.get(entry.service);
      if (known === undefined) this.#leaving.set(entry.service, [entry]);
      else known.push(entry);
    }
  }

  /** null = it is not drained. */
  ofReal(service: EffectiveService, real: EffectiveReal): RealProgress | null {
    if (real.state !== 'drain') return null;
    const entries = this.leavingOf(service.name).filter((entry) => entry.real === real.name);
    const stepping = real.weight > 0 ? this.#connectionsIn(service, real.name) : NO_CONNECTIONS;
    const done = entries.length === 0 && real.weight === 0 && this.#input.actual !== null;
    return { ...merged(entries, real.drainedSince), connections: addConnections(stepping, sumOf(entries)), done };
  }

  /** null = it is not in force, or drains nothing on this agent. */
  ofDrain(drain: Drain, agent: string, now: number): DrainProgress | null {
    if (!isActive(drain, now)) return null;
    const parts: RealProgress[] = [];
    let found = false;
    for (const service of this.#servicesOf(drain, agent)) {
      found = true;
      const { target } = drain;
      for (const real of service.reals.values()) {
        if (target.kind === 'real' && real.name !== target.real) continue;
        const progress = this.ofReal(service, real);
        if (progress !== null) parts.push(progress);
      }
      if (target.kind === 'real') continue;
      // What has no real in the records any more, and the sorry server.
      const others = this.leavingOf(service.name).filter(({ real }) => real === null || !service.reals.has(real));
      for (const entry of others) parts.push(leavingProgress(entry));
    }
    if (!found) return null;
    const deadlines = parts.flatMap(({ deadline }) => deadline ?? []);
    const begun = parts.flatMap(({ since }) => since ?? []);
    const realsDone = parts.filter(({ done }) => done).length;
    return {
      reals: parts.length,
      realsDone,
      since: begun.length === 0 ? null : Math.min(...begun),
      connections: parts.reduce((sum, { connections }) => addConnections(sum, connections), NO_CONNECTIONS),
      deadline: deadlines.length === 0 ? null : Math.max(...deadlines),
      done: realsDone === parts.length && this.#input.actual !== null,
    };
  }

  leavingOf(service: string): readonly LeavingEntry[] {
    return this.#leaving.get(service) ?? [];
  }

  #servicesOf({ target }: Drain, agent: string): EffectiveService[] {
    const all = [...this.#input.effective.services.values()];
    switch (target.kind) {
      case 'agent':
        return target.agent === agent ? all : [];
      case 'vip':
        return all.filter(({ vip }) => vip === target.vip);
      case 'service':
        return all.filter(({ name }) => name === target.service);
      case 'real':
        return all.filter(({ name, reals }) => name === target.service && reals.has(target.real));
    }
  }

  #connectionsIn({ kernelKeys }: EffectiveService, real: string): Connections {
    let sum = NO_CONNECTIONS;
    for (const key of kernelKeys) {
      const there = this.#input.actual?.get(key)?.destinations;
      if (there === undefined) continue;
      for (const [name, wanted] of this.#input.effective.kernel.get(key)?.destinations ?? []) {
        const actual = wanted.real === real ? there.get(name) : undefined;
        if (actual !== undefined) sum = addConnections(sum, connectionsOf(actual.activity));
      }
    }
    return sum;
  }
}

/** One entry that is on its way out without being drained: deleted, disabled, or with another address. */
export function leavingProgress({ since, until, connections }: LeavingEntry): RealProgress {
  return { since, connections, deadline: until, done: false };
}

function sumOf(entries: readonly LeavingEntry[]): Connections {
  return entries.reduce((sum, { connections }) => addConnections(sum, connections), NO_CONNECTIONS);
}

/** The journal outlives the memory of the drain, so it may know of an earlier beginning. */
function merged(entries: readonly LeavingEntry[], drainedSince: number | null) {
  const since = Math.min(drainedSince ?? Infinity, ...entries.map((entry) => entry.since));
  const deadline = entries.length === 0 ? null : Math.max(...entries.map(({ until }) => until));
  return { since: Number.isFinite(since) ? since : null, deadline };
}
