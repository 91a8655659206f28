import { SharedTexts } from '../../core/shared-texts.ts';
import type { Drain, Named } from './desired-state.ts';
import { isActive } from './drains.ts';
import type { LastDecision, ServiceDecision } from './effective-service.ts';
import type { EffectiveVip } from './effective-state.ts';
import type { ServiceMemory } from './health-memory.ts';
import type { PreparedService } from './prepared.ts';
import { sameItems } from './shared-structure.ts';

/** What a pass decided, and what happened since. */
export interface LastDecisions {
  readonly decisions: StandingDecisions;
  /** Keys of the verdicts that are others than they were then. */
  readonly changed: ReadonlySet<string>;
}

/** A decision with everything that it came from. */
interface StandingDecision {
  readonly prepared: PreparedService;
  readonly before: ServiceMemory | null;
  /** Of the wanted checks of all reals. */
  readonly keys: ReadonlySet<string>;
  readonly decision: ServiceDecision;
}

/**
 * What one pass decided, for the next: where nothing changed, the decision stands, and is the very same object.
 * Services are compared by identity and verdicts are not looked at, so a pass costs little for what did not change.
 */
export class StandingDecisions {
  readonly #drains: Named<Drain>;
  /** Names of the drains that hold. */
  readonly #active: string;
  readonly #services = new Map<string, StandingDecision>();
  readonly #vips = new Map<string, EffectiveVip>();
  /** Causes and reasons that the passes have in common. */
  readonly texts: SharedTexts;
  #formerVips: ReadonlyMap<string, EffectiveVip>;
  /** What stood in the pass before; empty where the drains are others, which may concern any. */
  #before: ReadonlyMap<string, StandingDecision>;
  /** All of it. */
  #former: ReadonlyMap<string, StandingDecision>;
  readonly #changed: ReadonlySet<string>;

  /** @param last null = nothing is known of a pass before, or not what happened since */
  constructor(last: LastDecisions | null, drains: Named<Drain>, now: number) {
    this.#drains = drains;
    const active = Object.values(drains).filter((drain) => isActive(drain, now));
    this.#active = active.map(({ name }) => name).join('|');
    const before = last === null ? null : last.decisions;
    this.texts = before === null ? new SharedTexts() : before.texts;
    const stands = before !== null && before.#drains === drains && before.#active === this.#active;
    this.#formerVips = before === null ? new Map() : before.#vips;
    this.#former = before === null ? new Map() : before.#services;
    this.#before = stands ? this.#former : new Map();
    this.#changed = last?.changed ?? new Set();
  }

  /** The decision of the pass before, if it stands. */
  of(prepared: PreparedService, before: ServiceMemory | null): ServiceDecision | null {
    const { name } = prepared.service;
    const known = this.#before.get(name);
    if (known?.prepared !== prepared || known.before !== before || this.#isNews(known)) return null;
    this.#services.set(name, known);
    return known.decision;
  }

  /** That of the pass before, whether it stands or not. */
  last(name: string): LastDecision | null {
    const known = this.#former.get(name);
    return known === undefined ? null : { decision: known.decision, changed: this.#changed };
  }

  keep(prepared: PreparedService, before: ServiceMemory | null, decision: ServiceDecision): void {
    if (!decision.lasting) return;
    const known = this.#former.get(prepared.service.name);
    const keys = known?.prepared === prepared ? known.keys : keysOf(prepared);
    this.#services.set(prepared.service.name, { prepared, before, keys, decision });
  }

  /** What comes out as it was is the very same object. */
  vip(now: EffectiveVip): EffectiveVip {
    const before = this.#formerVips.get(now.name);
    const vip = before !== undefined && sameVip(before, now) ? before : now;
    this.#vips.set(vip.name, vip);
    return vip;
  }

  /** The pass is over: nobody asks any more what the one before decided, so it need not be kept beside this one. */
  finish(): void {
    this.#formerVips = new Map();
    this.#former = new Map();
    this.#before = this.#former;
  }

  #isNews({ keys }: StandingDecision): boolean {
    for (const key of this.#changed) if (keys.has(key)) return true;
    return false;
  }
}

function sameVip(a: EffectiveVip, b: EffectiveVip): boolean {
  return (
    a.addresses === b.addresses &&
    a.interface === b.interface &&
    a.withdrawn === b.withdrawn &&
    sameItems(a.services, b.services)
  );
}

function keysOf({ reals }: PreparedService): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { checks } of reals) for (const { wanted } of checks) keys.add(wanted.key);
  return keys;
}
