import type { ServiceKey } from '../../ipvs/dataplane.ts';
import { serviceKeyOf } from '../../ipvs/dataplane.ts';
import type { IpAddress } from '../../model/address.ts';
import type { CheckDefinition } from '../../model/check-definition.ts';
import { nearestName } from '../../model/names.ts';
import type { Problem } from '../../model/problem.ts';
import type { Decoded, RecordSet } from '../../model/record-set.ts';
import type { ServiceRecord } from '../../model/records/service.ts';
import type { FieldProblem } from '../../model/validate.ts';
import { desiredAgent } from './desired-agent.ts';
import { realFaults, realOf, sameTarget } from './desired-real.ts';
import type { References } from './desired-service.ts';
import { flagFaults, quorumAdvice, serviceFaults, serviceOf } from './desired-service.ts';
import type { Desired, DesiredAgent, DesiredOverride, DesiredReal, DesiredService, Named } from './desired-state.ts';
import { named } from './desired-state.ts';
import type { VipTable } from './desired-vip.ts';
import { byAge, vipTable } from './desired-vip.ts';
import { drainAdvice, drainOf } from './drains.ts';
import { familiesOf, matchesOf, mixesFamilies } from './expansion.ts';
import { findingInWords } from './findings.ts';
import { overrideAdvice } from './overrides.ts';
import { sameItems } from './shared-structure.ts';

export interface Understood {
  readonly desired: Desired;
  readonly problems: readonly Problem[];
  /** Services about which there is nothing to say, and that owe nothing to what was accepted before. */
  readonly sound: ReadonlySet<string>;
}

const NONE: ReadonlySet<string> = new Set();

/**
 * What the records mean for one agent. A record that cannot stand beside the others harms only itself: it stays as it
 * was in `previous`, or, if it was never good, it is left out; either way a problem says so.
 * @param previous what was accepted last, from this run or from the last-known-good file
 * @param asBefore services that were sound when `previous` was made, and of whose records none was touched since: where
 *   nothing else speaks against it they are taken over, the very same objects. It never changes the outcome
 */
export function desiredState(
  records: RecordSet,
  agentName: string,
  previous: Desired | null,
  revision: string,
  asBefore: ReadonlySet<string> = NONE,
): Understood {
  const { agent, problems: agentProblems } = desiredAgent(agentName, records.agents, previous?.agent ?? null);
  const selected = [...records.services.values()].filter((service) => isSelected(service, agent.labels)).sort(byAge);
  const used = new Set(selected.map(({ value }) => value.vip));
  const vips = vipTable(used, records.vips, previous?.vips ?? {});
  const builder = new ServiceBuilder(records, agent, vips, previous, asBefore);
  for (const record of selected) builder.add(record);
  const drains = [...records.drains.values()].map(drainOf);
  const desired: Desired = {
    revision,
    agent,
    ...builder.finish(),
    drains: Object.fromEntries(drains.map((drain) => [drain.name, drain])),
  };
  const advice = [...overrideAdvice(agent, records), ...drainAdvice(records)];
  const isSound = agentProblems.length === 0 && vips.problems.length === 0;
  const problems = [...agentProblems, ...vips.problems, ...builder.problems, ...advice];
  return { desired, problems, sound: isSound ? builder.sound : NONE };
}

function isSelected({ value }: Decoded<ServiceRecord>, labels: Named<string>): boolean {
  return Object.entries(value.agents ?? {}).every(([label, wanted]) => named(labels, label) === wanted);
}

/** Suggestions cost time; a store full of misspelt names must not cost more than one pass. */
const MAX_SUGGESTIONS = 50;

/** Takes services in the order of their age and keeps count of who has which kernel service. */
class ServiceBuilder {
  readonly problems: Problem[] = [];
  readonly sound = new Set<string>();
  readonly #records: RecordSet;
  readonly #agent: DesiredAgent;
  readonly #vips: VipTable;
  readonly #previous: Desired | null;
  readonly #asBefore: ReadonlySet<string>;
  readonly #references: References;
  readonly #owners = new Map<ServiceKey, string>();
  readonly #services = new Map<string, DesiredService>();
  readonly #checks = new Map<string, CheckDefinition>();
  #suggestions = 0;

  constructor(
    records: RecordSet,
    agent: DesiredAgent,
    vips: VipTable,
    previous: Desired | null,
    asBefore: ReadonlySet<string>,
  ) {
    this.#records = records;
    this.#agent = agent;
    this.#vips = vips;
    this.#previous = previous;
    this.#asBefore = asBefore;
    this.#references = {
      mixesFamilies: mixesFamilies(agent),
      vip: (name) => vips.get(name),
      hasVipRecord: (name) => records.vips.has(name),
      check: (name) => this.#check(name),
      nearest: (kind, name) => this.#nearest(name, kind === 'VIP' ? records.vips : records.checks),
    };
  }

  add(record: Decoded<ServiceRecord>): void {
    const before = this.#takenOver(record.name);
    if (before !== null) {
      this.#claim(before);
      this.#gather(before.checks);
      for (const real of Object.values(before.reals)) if (real.checks !== before.checks) this.#gather(real.checks);
      this.#services.set(before.name, before);
      this.sound.add(before.name);
      return;
    }
    const problems = this.problems.length;
    this.#build(record);
    if (this.problems.length === problems) this.sound.add(record.name);
  }

  /** The service as it was, if it would come out the same. */
  #takenOver(name: string): DesiredService | null {
    if (this.#previous === null || !this.#asBefore.has(name)) return null;
    const service = named(this.#previous.services, name);
    if (service === undefined) return null;
    const addresses = named(this.#previous.vips, service.vip)?.addresses ?? [];
    if (!sameItems(addresses, this.#addressesOf(service)) || this.#conflicts(service).length > 0) return null;
    return service;
  }

  #claim(service: DesiredService): void {
    for (const key of this.#keysOf(service)) if (!this.#owners.has(key)) this.#owners.set(key, service.name);
  }

  #build(record: Decoded<ServiceRecord>): void {
    const { name, path } = record;
    const override = named(this.#agent.overrides, name);
    const current = overridden(serviceOf(record), override);
    const faults = [...flagFaults(record.value), ...serviceFaults(current, this.#references)];
    if (faults.length === 0) faults.push(...this.#conflicts(current));
    const chosen = faults.length === 0 ? current : this.#lastGood(current, override);
    this.#report(path, faults, chosen !== null);
    if (chosen === null) return;
    this.#claim(chosen);
    this.#gather(chosen.checks);
    const service = { ...chosen, reals: this.#realsOf(chosen, override) };
    this.#services.set(name, service);
    for (const advice of quorumAdvice(service)) this.problems.push({ path, ...advice, effect: 'in force' });
  }

  finish(): Pick<Desired, 'services' | 'vips' | 'checks'> {
    const vips = new Map<string, NonNullable<ReturnType<VipTable['get']>>>();
    for (const service of this.#services.values()) {
      const vip = this.#vips.get(service.vip);
      if (vip !== null) vips.set(vip.name, vip);
    }
    return {
      vips: Object.fromEntries(vips),
      services: Object.fromEntries(this.#services),
      checks: Object.fromEntries(this.#checks),
    };
  }

  #gather(names: readonly string[]): void {
    for (const name of names) {
      if (this.#checks.has(name)) continue;
      const definition = this.#check(name);
      if (definition !== null) this.#checks.set(name, definition);
    }
  }

  #check(name: string): CheckDefinition | null {
    const record = this.#records.checks.get(name);
    if (record !== undefined) return record.value;
    return (this.#previous === null ? undefined : named(this.#previous.checks, name)) ?? null;
  }

  /** The service as it was, less what others have by now; null when there is nothing to go back to. */
  #lastGood(current: DesiredService, override: DesiredOverride | undefined): DesiredService | null {
    const before = this.#previous === null ? undefined : named(this.#previous.services, current.name);
    if (before === undefined) return null;
    const service = overridden({ ...before, reals: {}, created: current.created, held: false }, override);
    if (serviceFaults(service, this.#references).length > 0) return null;
    const keys = [...this.#keysOf(service)];
    return keys.length > 0 && keys.every((key) => this.#owners.has(key)) ? null : service;
  }

  #conflicts(service: DesiredService): FieldProblem[] {
    const taken = [...this.#keysOf(service)].filter((key) => this.#owners.has(key));
    const [first] = taken;
    if (first === undefined) return [];
    const more = taken.length > 1 ? ` and ${taken.length - 1} more` : '';
    const owner = this.#owners.get(first) ?? '';
    const found = `${first.replaceAll('|', ' ')}${more}, which service "${owner}" has`;
    return [findingInWords('match', found, 'what no service that was created earlier has on this agent')];
  }

  *#keysOf(service: DesiredService): Generator<ServiceKey> {
    for (const match of matchesOf(service, this.#addressesOf(service))) yield serviceKeyOf(match);
  }

  #addressesOf(service: DesiredService): readonly IpAddress[] {
    return this.#vips.get(service.vip)?.addresses ?? [];
  }

  #realsOf(service: DesiredService, override: DesiredOverride | undefined): Named<DesiredReal> {
    const records = [...(this.#records.reals.get(service.name)?.values() ?? [])].sort(byAge);
    const before = this.#previous === null ? undefined : named(this.#previous.services, service.name);
    const byAddress = new Map<IpAddress, DesiredReal[]>();
    // Names begin with a letter or digit, so none of them is __proto__.
    const reals: Record<string, DesiredReal> = {};
    const families = familiesOf(service, this.#addressesOf(service));
    const judge = (real: DesiredReal): FieldProblem[] => {
      const faults = realFaults(real, service, families, this.#references);
      const twin = byAddress.get(real.address)?.find((other) => sameTarget(real, other, service));
      if (twin !== undefined) faults.push(twinFault(real, twin));
      return faults;
    };
    const take = (real: DesiredReal): void => {
      reals[real.name] = real;
      if (real.checks !== service.checks) this.#gather(real.checks);
      const there = byAddress.get(real.address);
      if (there === undefined) byAddress.set(real.address, [real]);
      else there.push(real);
    };
    for (const record of records) {
      const current = overriddenReal(realOf(record, service), override);
      const faults = judge(current);
      if (faults.length === 0) {
        take(current);
        continue;
      }
      const lastGood = before === undefined ? undefined : named(before.reals, record.name);
      const stays = lastGood !== undefined && judge(lastGood).length === 0;
      this.#report(record.path, faults, stays);
      if (stays) take(overriddenReal({ ...lastGood, created: current.created, held: false }, override));
    }
    return reals;
  }

  #report(path: string, faults: readonly FieldProblem[], stays: boolean): void {
    const effect = stays ? 'last good version stays' : 'ignored';
    for (const fault of faults) this.problems.push({ path, ...fault, effect });
  }

  #nearest(name: string, records: ReadonlyMap<string, Decoded<unknown>>): string | undefined {
    if (this.#suggestions++ >= MAX_SUGGESTIONS) return undefined;
    return nearestName(name, [...records.keys()]);
  }
}

function twinFault(real: DesiredReal, twin: DesiredReal): FieldProblem {
  const port = real.port === null ? '' : ` port ${real.port}`;
  const allowed = 'a target that no real that was created earlier has in this service';
  return findingInWords('address', `${real.address}${port}, which real "${twin.name}" has`, allowed);
}

function overridden(service: DesiredService, override: DesiredOverride | undefined): DesiredService {
  return override === undefined || override.state === null ? service : { ...service, state: override.state };
}

function overriddenReal(real: DesiredReal, override: DesiredOverride | undefined): DesiredReal {
  const own = override === undefined ? undefined : named(override.reals, real.name);
  if (own === undefined) return real;
  return { ...real, weight: own.weight ?? real.weight, state: own.state ?? real.state };
}
