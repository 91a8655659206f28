import { SharedTexts } from '../../core/shared-texts.ts';
import type { Drain, Named } from './desired-state.ts';
import { isActive } from './drains.ts';
import type { LastDecision, ServiceDecision } from './effective-service.ts';
import type { Effective, EffectiveVip } from './effective-state.ts';
import type { HealthMemory, ServiceMemory } from './health-memory.ts';
import type { Prepared, PreparedService } from './prepared.ts';
import { sameItems } from './shared-structure.ts';

/** What a pass decided, what from, and what happened since. */
export interface LastDecisions {
  readonly decisions: StandingDecisions;
  readonly prepared: Prepared;
  readonly effective: Effective;
  readonly memory: HealthMemory;
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
  #services = new Map<string, StandingDecision>();
  #vips = new Map<string, EffectiveVip>();
  /** Causes and reasons that the passes have in common. */
  readonly texts: SharedTexts;
  #formerVips: ReadonlyMap<string, EffectiveVip>;
  /** Of the pass before. */
  #former: ReadonlyMap<string, StandingDecision>;
  /** Whether one of those may stand: not where the drains are others, which may concern any. */
  readonly #mayStand: boolean;
  readonly #changed: ReadonlySet<string>;
  /** The same, to be gone through for each service. */
  readonly #news: readonly string[];

  /** @param last null = nothing is known of a pass before, or not what happened since */
  constructor(last: LastDecisions | null, drains: Named<Drain>, now: number) {
    this.#drains = drains;
    const active = Object.values(drains).filter((drain) => isActive(drain, now));
    this.#active = active.map(({ name }) => name).join('|');
    const before = last === null ? null : last.decisions;
    this.texts = before === null ? new SharedTexts() : before.texts;
    this.#mayStand = before !== null && before.#drains === drains && before.#active === this.#active;
    this.#formerVips = before === null ? new Map() : before.#vips;
    this.#former = before === null ? new Map() : before.#services;
    this.#changed = last?.changed ?? new Set();
    this.#news = [...this.#changed];
  }

  /**
   * Takes over everything that stands, where the services are those of the pass before, in the same order.
   * @returns those about which no decision stands; null = it is not so simple, and nothing was taken over
   */
  takeOver(before: readonly PreparedService[], now: readonly PreparedService[]): readonly PreparedService[] | null {
    if (!this.#mayStand || before.length !== now.length) return null;
    const open: PreparedService[] = [];
    for (const [index, prepared] of now.entries()) {
      const { name } = prepared.service;
      const known = this.#former.get(name);
      if (before[index]?.service.name !== name) return null;
      // What came from another memory than it left behind is to be decided once more.
      const stands = known?.prepared === prepared && known.before === known.decision.memory && !this.#isNews(known);
      if (!stands) open.push(prepared);
    }
    this.#services = new Map(this.#former);
    for (const { service } of open) this.#services.delete(service.name);
    this.#vips = new Map(this.#formerVips);
    return open;
  }

  /** The decision of the pass before, if it stands. */
  of(prepared: PreparedService, before: ServiceMemory | null): ServiceDecision | null {
    const { name } = prepared.service;
    const known = this.#mayStand ? this.#former.get(name) : undefined;
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
    const keys = known !== undefined && hasChecksOf(known.prepared, prepared) ? known.keys : keysOf(prepared);
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
  }

  #isNews({ keys }: StandingDecision): boolean {
    return this.#news.some((key) => keys.has(key));
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

/** Whether the checks of all reals are the very same objects. */
function hasChecksOf({ reals: before }: PreparedService, { reals: now }: PreparedService): boolean {
  return (
    before === now || (before.length === now.length && now.every(({ checks }, at) => checks === before[at]?.checks))
  );
}

function keysOf({ reals }: PreparedService): ReadonlySet<string> {
  const keys = new Set<string>();
  for (const { checks } of reals) for (const { wanted } of checks) keys.add(wanted.key);
  return keys;
}
