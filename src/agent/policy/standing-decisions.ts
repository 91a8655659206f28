import type { Verdict } from '../../checks/port.ts';
import type { Drain, Named } from './desired-state.ts';
import { isActive } from './drains.ts';
import type { ServiceDecision } from './effective-service.ts';
import type { ServiceMemory } from './health-memory.ts';
import type { PreparedService } from './prepared.ts';

/** A decision with everything that it came from. */
interface StandingDecision {
  readonly prepared: PreparedService;
  readonly before: ServiceMemory | null;
  /** Keys of the wanted checks of all reals, and the verdicts on them. Flat, as every pass goes through all of them. */
  readonly keys: readonly string[];
  readonly verdicts: readonly (Verdict | undefined)[];
  readonly decision: ServiceDecision;
}

/**
 * What one pass decided, for the next: where nothing changed, the decision stands, and is the very same object.
 * Everything is compared by identity, so a pass costs one look at each verdict and little else.
 */
export class StandingDecisions {
  readonly #drains: Named<Drain>;
  /** Names of the drains that hold. */
  readonly #active: string;
  readonly #services = new Map<string, StandingDecision>();

  constructor(drains: Named<Drain>, now: number) {
    this.#drains = drains;
    const active = Object.values(drains).filter((drain) => isActive(drain, now));
    this.#active = active.map(({ name }) => name).join('|');
  }

  /** The decision of the pass before, if it stands. */
  of(
    last: StandingDecisions | null,
    prepared: PreparedService,
    before: ServiceMemory | null,
    verdicts: ReadonlyMap<string, Verdict>,
  ): ServiceDecision | null {
    if (last === null || last.#drains !== this.#drains || last.#active !== this.#active) return null;
    const { name } = prepared.service;
    const known = last.#services.get(name);
    if (known?.prepared !== prepared || known.before !== before || !hasSameVerdicts(known, verdicts)) return null;
    this.#services.set(name, known);
    return known.decision;
  }

  keep(
    prepared: PreparedService,
    before: ServiceMemory | null,
    verdicts: ReadonlyMap<string, Verdict>,
    decision: ServiceDecision,
  ): void {
    if (!decision.lasting) return;
    const keys = prepared.reals.flatMap(({ checks }) => checks.map(({ wanted }) => wanted.key));
    const seen = keys.map((key) => verdicts.get(key));
    this.#services.set(prepared.service.name, { prepared, before, keys, verdicts: seen, decision });
  }
}

function hasSameVerdicts({ keys, verdicts: seen }: StandingDecision, verdicts: ReadonlyMap<string, Verdict>): boolean {
  return keys.every((key, index) => verdicts.get(key) === seen[index]);
}
