import { effectiveState } from '../../src/agent/policy/effective.ts';
import type { Desired } from '../../src/agent/policy/desired-state.ts';
import type { Effective, EffectiveReal, EffectiveService } from '../../src/agent/policy/effective-state.ts';
import { emptyMemory } from '../../src/agent/policy/health-memory.ts';
import type { HealthMemory } from '../../src/agent/policy/health-memory.ts';
import { prepare } from '../../src/agent/policy/prepared.ts';
import { wantedChecks } from '../../src/agent/policy/wanted-checks.ts';
import type { Verdict, VerdictState } from '../../src/checks/port.ts';
import type { DataplaneState, ServiceKey } from '../../src/ipvs/dataplane.ts';

/** Verdicts by address of the real, for all of its checks alike; a real that is not named has none yet. */
export function verdictsBy(
  desired: Desired,
  states: Readonly<Record<string, VerdictState>>,
  since = 0,
): ReadonlyMap<string, Verdict> {
  const verdicts = new Map<string, Verdict>();
  for (const { key, target } of wantedChecks(prepare(desired))) {
    const state = states[target.address];
    if (state === undefined) continue;
    verdicts.set(key, { state, since, cause: `it is ${state}`, latencyMs: 1, at: since });
  }
  return verdicts;
}

/** Passes one after another: what was remembered goes on, and so does the picture of the kernel. */
export class Decisions {
  memory: HealthMemory = emptyMemory;
  actual: DataplaneState | null = null;
  now = 1_000_000;
  monotonic = 1_000;
  #effective: Effective | null = null;

  decide(desired: Desired, states: Readonly<Record<string, VerdictState>> = {}): Effective {
    const verdicts = verdictsBy(desired, states, this.now);
    const { memory, actual, now, monotonic } = this;
    const decided = effectiveState({ prepared: prepare(desired), verdicts, memory, actual, now, monotonic });
    // As the health file would keep it.
    this.memory = JSON.parse(JSON.stringify(decided.memory)) as HealthMemory;
    this.#effective = decided.effective;
    return decided.effective;
  }

  wait(ms: number): this {
    this.now += ms;
    this.monotonic += ms;
    return this;
  }

  get effective(): Effective {
    if (this.#effective === null) throw new Error('nothing was decided yet');
    return this.#effective;
  }

  service(name = 'web'): EffectiveService {
    const service = this.effective.services.get(name);
    if (service === undefined) throw new Error(`there is no service ${name}`);
    return service;
  }

  real(name: string, service = 'web'): EffectiveReal {
    const real = this.service(service).reals.get(name);
    if (real === undefined) throw new Error(`there is no real ${name}`);
    return real;
  }

  /** Weights in a kernel service by destination, "10.0.0.1|80 10, 10.0.0.9|80 1"; what is out is not here. */
  weights(key = 'tcp|192.0.2.10|80'): string {
    const wanted = this.effective.kernel.get(key as ServiceKey);
    if (wanted === undefined) return 'no service';
    return [...wanted.destinations].map(([name, { destination }]) => `${name} ${destination.weight}`).join(', ');
  }

  out(key = 'tcp|192.0.2.10|80'): string {
    return [...(this.effective.kernel.get(key as ServiceKey)?.out ?? [])]
      .map(([name, { removal }]) => `${name} ${removal}`)
      .join(', ');
  }
}
