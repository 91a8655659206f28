import { nearestName } from '../../model/names.ts';
import type { Problem } from '../../model/problem.ts';
import type { Decoded, RecordSet } from '../../model/record-set.ts';
import type { DrainRecord } from '../../model/records/drain.ts';
import { isoTime, timeMs } from '../../model/time.ts';
import type { Drain, DrainTarget, Named } from './desired-state.ts';
import { named } from './desired-state.ts';
import { finding } from './findings.ts';

export function drainOf({ name, value }: Decoded<DrainRecord>): Drain {
  return {
    name,
    target: targetOf(value.target),
    by: value.by,
    why: value.why,
    until: value.until === undefined ? null : timeMs(value.until),
    onExpiry: value.onExpiry,
  };
}

function targetOf(text: string): DrainTarget {
  if (text.startsWith('vip:')) return { kind: 'vip', vip: text.slice('vip:'.length) };
  if (text.startsWith('agent:')) return { kind: 'agent', agent: text.slice('agent:'.length) };
  const slash = text.indexOf('/');
  if (slash < 0) return { kind: 'service', service: text };
  return { kind: 'real', service: text.slice(0, slash), real: text.slice(slash + 1) };
}

/** Drains of what no record names: in force, and without effect. Agents have no list, so any name may be one. */
export function drainAdvice(records: RecordSet): Problem[] {
  return [...records.drains.values()].flatMap((drain): Problem[] => {
    const missing = missingPart(targetOf(drain.value.target), records);
    if (missing === null) return [];
    return [{ path: drain.path, ...finding('target', drain.value.target, missing), effect: 'in force' }];
  });
}

function missingPart(target: DrainTarget, records: RecordSet): string | null {
  switch (target.kind) {
    case 'agent':
      return null;
    case 'vip':
      return missingName('VIP', target.vip, records.vips);
    case 'service':
      return missingName('service', target.service, records.services);
    case 'real': {
      const service = missingName('service', target.service, records.services);
      if (service !== null) return service;
      return missingName('real', target.real, records.reals.get(target.service) ?? new Map<string, unknown>());
    }
  }
}

/** Names to look through for one that may have been meant. */
const MAX_CANDIDATES = 1_000;

function missingName(kind: string, name: string, names: ReadonlyMap<string, unknown>): string | null {
  if (names.has(name)) return null;
  const near = names.size > MAX_CANDIDATES ? undefined : nearestName(name, [...names.keys()]);
  return `the name of a ${kind}${near === undefined ? '' : `, such as "${near}"`}; there is none called "${name}"`;
}

/** Whether a drain still holds: before its end, or after it where it is to be kept. */
export function isActive(drain: Drain, now: number): boolean {
  return drain.until === null || now < drain.until || drain.onExpiry === 'keep';
}

/** A drain of a whole service, and by what it came to the service. */
export interface WholeDrain {
  readonly drain: Drain;
  readonly by: 'service' | 'vip' | 'agent';
}

/** The drains that hold now, ready to be asked about one thing at a time. */
export class ActiveDrains {
  readonly #reals = new Map<string, Drain>();
  readonly #services = new Map<string, Drain>();
  readonly #vips = new Map<string, Drain>();
  readonly #agents = new Map<string, Drain>();
  /** Wall-clock time at which the next one ends; null = none ends by itself. */
  readonly nextEnd: number | null;

  constructor(drains: Named<Drain>, now: number) {
    let nextEnd: number | null = null;
    for (const name of Object.keys(drains).sort()) {
      const drain = named(drains, name);
      if (drain === undefined || !isActive(drain, now)) continue;
      const { target, until, onExpiry } = drain;
      if (until !== null && onExpiry === 'undrain') nextEnd = Math.min(nextEnd ?? until, until);
      if (target.kind === 'real') this.#reals.set(`${target.service}/${target.real}`, drain);
      else if (target.kind === 'service') this.#services.set(target.service, drain);
      else if (target.kind === 'vip') this.#vips.set(target.vip, drain);
      else this.#agents.set(target.agent, drain);
    }
    this.nextEnd = nextEnd;
  }

  ofReal(service: string, real: string): Drain | undefined {
    return this.#reals.size === 0 ? undefined : this.#reals.get(`${service}/${real}`);
  }

  /** Of its own, of its VIP, or of the agent. */
  ofService({ name, vip }: { readonly name: string; readonly vip: string }, agent: string): WholeDrain | undefined {
    const own = this.#services.get(name);
    if (own !== undefined) return { drain: own, by: 'service' };
    const ofVip = this.#vips.get(vip);
    if (ofVip !== undefined) return { drain: ofVip, by: 'vip' };
    const ofAgent = this.#agents.get(agent);
    return ofAgent === undefined ? undefined : { drain: ofAgent, by: 'agent' };
  }

  ofVip(vip: string): Drain | undefined {
    return this.#vips.get(vip);
  }

  ofAgent(agent: string): Drain | undefined {
    return this.#agents.get(agent);
  }
}

/** The same of a service, "its VIP is drained by ana …". */
export function describeWholeDrain({ drain, by }: WholeDrain): string {
  const subject = { service: 'its service', vip: 'its VIP', agent: 'this agent' }[by];
  return `${subject} is ${describeDrain(drain)}`;
}

/** "drained by ana until 2026-12-01T10:00:00.000Z: kernel upgrade (chg-1234)". */
export function describeDrain({ name, by, why, until, onExpiry }: Drain): string {
  const end = until !== null && onExpiry === 'undrain' ? ` until ${isoTime(until)}` : '';
  return `drained by ${by}${end}: ${why} (${name})`;
}
