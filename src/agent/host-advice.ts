import type { Clock } from '../core/ports.ts';
import type { InterfaceAddress } from '../ipvs/addresses.ts';
import type { Sysctls } from '../ipvs/settings/sysctl-files.ts';
import type { Problem } from '../model/problem.ts';
import type { Desired } from './policy/desired-state.ts';
import { hostFindings, hostRules } from './policy/host-rules.ts';

/** Compares the host's own settings, which are the administrator's, with what the records need. It only reads. */
export class HostAdvice {
  readonly #sysctls: Pick<Sysctls, 'read'>;
  readonly #clock: Clock;
  #problems: readonly Problem[] = [];
  #for: Desired | null = null;
  #lookedAt = -Infinity;

  constructor(deps: { readonly sysctls: Pick<Sysctls, 'read'>; readonly clock: Clock }) {
    this.#sysctls = deps.sysctls;
    this.#clock = deps.clock;
  }

  problems(): readonly Problem[] {
    return this.#problems;
  }

  /**
   * Looks again if something else is wanted, or if the last look is older than `maxAgeMs`.
   * @param addresses of the host; null = not known
   */
  look(desired: Desired, addresses: readonly InterfaceAddress[] | null, maxAgeMs: number): void {
    const now = this.#clock.monotonic();
    if (addresses === null || (this.#for === desired && now - this.#lookedAt < maxAgeMs)) return;
    this.#for = desired;
    this.#lookedAt = now;
    // A dry run says nothing about the host.
    const rules = desired.agent.dataplane === 'memory' ? [] : hostRules(desired, addresses);
    const values = new Map<string, string>();
    for (const name of rules.flatMap(({ settings }) => settings)) {
      const value = this.#sysctls.read(name);
      if (value !== null) values.set(name, value);
    }
    this.#problems = hostFindings(rules, values);
  }
}
