import type { Desired } from '../../src/agent/policy/desired-state.ts';
import type { Effective } from '../../src/agent/policy/effective-state.ts';
import { emptyJournal } from '../../src/agent/policy/journal.ts';
import type { Journal } from '../../src/agent/policy/journal.ts';
import { planAddresses } from '../../src/agent/policy/plan-addresses.ts';
import { plan } from '../../src/agent/policy/plan.ts';
import type { AddressOp, InterfaceAddresses } from '../../src/ipvs/addresses.ts';
import type { ApplyReport, Dataplane, DataplaneOp, ServiceKey } from '../../src/ipvs/dataplane.ts';
import { Decisions } from '../fakes/decisions.ts';
import { build } from '../fakes/records.ts';
import type { StoreContent } from '../fakes/records.ts';

export interface DirectorPass {
  readonly ops: readonly DataplaneOp[];
  readonly addressOps: readonly AddressOp[];
  /** Kernel services that are not ours. */
  readonly foreign: readonly ServiceKey[];
}

export const DRAIN_MS = 60_000;

/**
 * The way from records to a kernel as the agent goes it, pass by pass, on a clock of its own. There are no checks, so
 * every real is up; whatever the kernel refuses is an error.
 */
export class Director {
  readonly #dataplane: Dataplane;
  readonly #addresses: InterfaceAddresses | null;
  readonly #decisions = new Decisions();
  #journal: Journal = emptyJournal;
  #previous: Effective | null = null;

  /** @param addresses null = the VIP addresses are somebody else's business */
  constructor(dataplane: Dataplane, addresses: InterfaceAddresses | null = null) {
    this.#dataplane = dataplane;
    this.#addresses = addresses;
  }

  wait(ms: number): void {
    this.#decisions.wait(ms);
  }

  /** What a new process would know: the journal. */
  restart(): void {
    this.#journal = JSON.parse(JSON.stringify(this.#journal)) as Journal;
    this.#previous = null;
  }

  /** @throws when a record is bad, or the kernel cannot be read or refuses anything */
  async pass(content: StoreContent): Promise<DirectorPass> {
    const actual = unwrap(await this.#dataplane.read());
    this.#decisions.actual = actual;
    const effective = this.#decisions.decide(desiredOf(content));
    const { now } = this.#decisions;
    const services = plan({
      effective,
      actual,
      activityAt: now,
      journal: this.#journal,
      previous: this.#previous,
      drainTimeoutMs: DRAIN_MS,
      now,
    });
    const ofAddresses = planAddresses({
      effective,
      actual: this.#addresses === null ? [] : unwrap(await this.#addresses.read()),
      journal: services.journal,
      serviceOps: services.ops,
      drainTimeoutMs: DRAIN_MS,
      now,
    });
    const addressOps = this.#addresses === null ? [] : ofAddresses.ops;
    this.#journal = this.#addresses === null ? services.journal : ofAddresses.journal;
    this.#previous = effective;
    await this.#applyAddresses(addressOps.filter(({ kind }) => kind === 'addAddress'));
    carriedOut(await this.#dataplane.apply(services.ops));
    await this.#applyAddresses(addressOps.filter(({ kind }) => kind === 'deleteAddress'));
    return { ops: services.ops, addressOps, foreign: services.foreign };
  }

  async #applyAddresses(ops: readonly AddressOp[]): Promise<void> {
    if (this.#addresses !== null && ops.length > 0) carriedOut(await this.#addresses.apply(ops));
  }
}

/** What is in force but hardly meant, such as a quorum that is never gained, is no fault here. */
function desiredOf(content: StoreContent): Desired {
  const { desired, problems } = build(content);
  const faults = problems.filter(({ effect }) => effect !== 'in force');
  if (faults.length > 0) throw new Error(JSON.stringify(faults));
  return desired;
}

function carriedOut<Op>({ failed, lost }: ApplyReport<Op>): void {
  if (lost !== null) throw lost;
  if (failed.length > 0) throw new Error(failed.map(({ error }) => error.message).join('; '));
}

function unwrap<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Error },
): T {
  if (!result.ok) throw result.error;
  return result.value;
}
