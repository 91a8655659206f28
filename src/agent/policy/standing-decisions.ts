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
  /** Of the wanted checks of all reals. */
  readonly keys: readonly string[];
  readonly decision: ServiceDecision;
}

/** The verdicts of one pass, in the order of their map: going along is far cheaper than looking each up. */
interface SeenVerdicts {
  readonly keys: readonly string[];
  readonly verdicts: readonly Verdict[];
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
  readonly #seen: SeenVerdicts;
  /** What stood in the pass before; empty where the drains are others, which may concern any. */
  readonly #before: ReadonlyMap<string, StandingDecision>;
  /** Keys of verdicts that are not what the pass before saw. */
  readonly #changed: ReadonlySet<string>;

  /**
   * @param last of the pass before
   * @param verdicts of this pass, by key of the wanted check
   */
  constructor(
    last: StandingDecisions | null,
    drains: Named<Drain>,
    now: number,
    verdicts: ReadonlyMap<string, Verdict>,
  ) {
    this.#drains = drains;
    const active = Object.values(drains).filter((drain) => isActive(drain, now));
    this.#active = active.map(({ name }) => name).join('|');
    this.#changed = last === null ? new Set() : changedKeys(last.#seen, verdicts);
    const stands = last !== null && last.#drains === drains && last.#active === this.#active;
    this.#before = stands ? last.#services : new Map();
    const isSame = last !== null && this.#changed.size === 0;
    this.#seen = isSame ? last.#seen : { keys: [...verdicts.keys()], verdicts: [...verdicts.values()] };
  }

  /** The decision of the pass before, if it stands. */
  of(prepared: PreparedService, before: ServiceMemory | null): ServiceDecision | null {
    const { name } = prepared.service;
    const known = this.#before.get(name);
    if (known?.prepared !== prepared || known.before !== before || this.#isNews(known)) return null;
    this.#services.set(name, known);
    return known.decision;
  }

  keep(prepared: PreparedService, before: ServiceMemory | null, decision: ServiceDecision): void {
    if (!decision.lasting) return;
    const keys = prepared.reals.flatMap(({ checks }) => checks.map(({ wanted }) => wanted.key));
    this.#services.set(prepared.service.name, { prepared, before, keys, decision });
  }

  #isNews({ keys }: StandingDecision): boolean {
    return this.#changed.size > 0 && keys.some((key) => this.#changed.has(key));
  }
}

/** Keys of verdicts that are new, gone or not the same. */
function changedKeys(before: SeenVerdicts, now: ReadonlyMap<string, Verdict>): ReadonlySet<string> {
  const changed = new Set<string>();
  let at = 0;
  for (const [key, verdict] of now) {
    if (key !== before.keys[at]) return changedInAnyOrder(before, now);
    if (verdict !== before.verdicts[at]) changed.add(key);
    at++;
  }
  return at === before.keys.length ? changed : changedInAnyOrder(before, now);
}

/** Other checks are wanted than before. */
function changedInAnyOrder({ keys, verdicts }: SeenVerdicts, now: ReadonlyMap<string, Verdict>): ReadonlySet<string> {
  const gone = new Map(keys.map((key, index) => [key, verdicts[index]]));
  const changed = new Set<string>();
  for (const [key, verdict] of now) {
    if (gone.get(key) !== verdict) changed.add(key);
    gone.delete(key);
  }
  for (const key of gone.keys()) changed.add(key);
  return changed;
}
