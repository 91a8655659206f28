import type { Verdicts } from '../../checks/port.ts';
import type { DataplaneState, ServiceKey } from '../../ipvs/dataplane.ts';
import type { Desired, DesiredVip } from './desired-state.ts';
import { named } from './desired-state.ts';
import { ActiveDrains, describeDrain } from './drains.ts';
import { decideService, earlier } from './effective-service.ts';
import type { Effective, EffectiveService, EffectiveVip, WantedService } from './effective-state.ts';
import { packetMarks } from './marks.ts';
import type { HealthMemory, ServiceMemory } from './health-memory.ts';
import type { Prepared } from './prepared.ts';
import { sameItems } from './shared-structure.ts';
import { StandingDecisions } from './standing-decisions.ts';
import type { LastDecisions } from './standing-decisions.ts';

export interface EffectiveInput {
  /** The accepted set, as `prepare` makes it ready. */
  readonly prepared: Prepared;
  /** By key of the wanted check. */
  readonly verdicts: Verdicts;
  readonly memory: HealthMemory;
  /** What the kernel holds; null = not known. Reals without a verdict keep the weight that they have there. */
  readonly actual: DataplaneState | null;
  /** Wall-clock milliseconds. */
  readonly now: number;
  /** Monotonic milliseconds. */
  readonly monotonic: number;
  /** What the pass before decided: what of it stands is not decided again. It never changes the outcome. */
  readonly last?: LastDecisions | null;
}

interface Decided {
  readonly effective: Effective;
  readonly memory: HealthMemory;
  readonly decisions: StandingDecisions;
}

/** What should be in force now, and what to remember for the next time. */
export function effectiveState(input: EffectiveInput): Decided {
  const { last = null } = input;
  return (last === null ? null : amended(input, last)) ?? decidedAnew(input);
}

/**
 * The outcome of the pass before with some services decided anew: what an edit or a verdict comes to in a large
 * configuration. null = it is not so simple.
 */
function amended(input: EffectiveInput, last: LastDecisions): Decided | null {
  const { memory, now } = input;
  const { desired } = input.prepared;
  const before = last.prepared.desired;
  if (last.memory !== memory || before.agent !== desired.agent || before.vips !== desired.vips) return null;
  const drains = new ActiveDrains(desired.drains, now);
  const decisions = new StandingDecisions(last, desired.drains, now);
  const open = decisions.takeOver(last.prepared.services, input.prepared.services);
  if (open === null) return null;
  const serviceInput = { ...input, drains, agent: desired.agent.name, texts: decisions.texts };
  const services = new Map(last.effective.services);
  const kernel = new Map(last.effective.kernel);
  const memories: [string, ServiceMemory][] = [];
  let { marks } = last.effective;
  let nextChangeMs = drains.nextEnd === null ? null : Math.max(0, drains.nextEnd - now);
  for (const prepared of open) {
    const { name, match } = prepared.service;
    const own = named(memory.services, name) ?? null;
    const decision = decideService(prepared, own, serviceInput, decisions.last(name));
    const was = services.get(name);
    if (was === undefined || own === null || !hasSamePlace(was, decision.effective)) return null;
    decisions.keep(prepared, own, decision);
    services.set(name, decision.effective);
    for (const wanted of decision.kernel) kernel.set(wanted.key, wanted);
    if (decision.memory !== own) memories.push([name, decision.memory]);
    if (match.kind === 'fwmark') marks = packetMarks(desired);
    nextChangeMs = earlier(nextChangeMs, decision.nextChangeMs);
  }
  decisions.finish();
  return {
    effective: { revision: desired.revision, services, kernel, vips: last.effective.vips, marks, nextChangeMs },
    memory: memories.length === 0 ? memory : { services: { ...memory.services, ...Object.fromEntries(memories) } },
    decisions,
  };
}

/** On the same VIP, in the same kernel services: then nothing else depends on what was decided about it. */
function hasSamePlace(a: EffectiveService, b: EffectiveService): boolean {
  return (
    a.vip === b.vip && (a.state === 'disabled') === (b.state === 'disabled') && sameItems(a.kernelKeys, b.kernelKeys)
  );
}

function decidedAnew(input: EffectiveInput): Decided {
  const { memory, now } = input;
  const { desired } = input.prepared;
  const drains = new ActiveDrains(desired.drains, now);
  const decisions = new StandingDecisions(input.last ?? null, desired.drains, now);
  const serviceInput = { ...input, drains, agent: desired.agent.name, texts: decisions.texts };
  const renamed = memoriesWithoutService(memory, desired);
  const services = new Map<string, EffectiveService>();
  const kernel = new Map<ServiceKey, WantedService>();
  const memories: [string, ServiceMemory][] = [];
  let remembersTheSame = true;
  const byVip = new Map<string, string[]>();
  let nextChangeMs = drains.nextEnd === null ? null : Math.max(0, drains.nextEnd - now);
  for (const prepared of input.prepared.services) {
    const { name } = prepared.service;
    const firstKey = prepared.kernel[0]?.key;
    const inherited = firstKey === undefined ? undefined : renamed.get(firstKey);
    const own = named(memory.services, name);
    const before = own ?? inherited ?? null;
    let decision = decisions.of(prepared, before);
    if (decision === null) {
      decision = decideService(prepared, before, serviceInput, decisions.last(name));
      decisions.keep(prepared, before, decision);
    }
    services.set(name, decision.effective);
    if (decision.effective.state !== 'disabled') {
      const onVip = byVip.get(decision.effective.vip);
      if (onVip === undefined) byVip.set(decision.effective.vip, [name]);
      else onVip.push(name);
    }
    for (const wanted of decision.kernel) kernel.set(wanted.key, wanted);
    memories.push([name, decision.memory]);
    remembersTheSame &&= decision.memory === own;
    nextChangeMs = earlier(nextChangeMs, decision.nextChangeMs);
  }
  const vips = new Map(
    Object.values(desired.vips).map((vip) => [
      vip.name,
      decisions.vip(effectiveVip(vip, byVip.get(vip.name) ?? [], desired, drains)),
    ]),
  );
  decisions.finish();
  return {
    effective: {
      revision: desired.revision,
      services,
      kernel,
      vips,
      marks: packetMarks(desired),
      nextChangeMs,
    },
    memory:
      remembersTheSame && memories.length === Object.keys(memory.services).length
        ? memory
        : { services: Object.fromEntries(memories) },
    decisions,
  };
}

/** Memories of services whose name is gone, by kernel service: a renamed service takes its memory along. */
function memoriesWithoutService(memory: HealthMemory, desired: Desired): ReadonlyMap<ServiceKey, ServiceMemory> {
  const found = new Map<ServiceKey, ServiceMemory>();
  for (const [name, one] of Object.entries(memory.services)) {
    if (one.kernelKey !== null && !Object.hasOwn(desired.services, name)) found.set(one.kernelKey, one);
  }
  return found;
}

function effectiveVip(
  vip: DesiredVip,
  services: readonly string[],
  desired: Desired,
  drains: ActiveDrains,
): EffectiveVip {
  const needed = services.length > 0 || vip.advertise.when === 'always';
  return {
    name: vip.name,
    addresses: vip.addresses,
    interface: needed ? vip.interface : null,
    services,
    withdrawn: withdrawnReason(vip, desired, drains),
  };
}

function withdrawnReason(vip: DesiredVip, { agent }: Desired, drains: ActiveDrains): string | null {
  if (vip.silenced !== null) return `silenced by ${vip.silenced.by}: ${vip.silenced.why}`;
  const silenced = agent.bgp?.silenced ?? null;
  if (silenced !== null) return `this agent is silenced by ${silenced.by}: ${silenced.why}`;
  const vipDrain = drains.ofVip(vip.name);
  if (vipDrain !== undefined) return describeDrain(vipDrain);
  const agentDrain = drains.ofAgent(agent.name);
  return agentDrain === undefined ? null : `this agent is ${describeDrain(agentDrain)}`;
}
