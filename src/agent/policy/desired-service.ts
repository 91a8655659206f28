import { canonicalAddress } from '../../model/address.ts';
import type { Family } from '../../model/address.ts';
import type { CheckDefinition } from '../../model/check-definition.ts';
import { durationMs } from '../../model/duration.ts';
import type { Decoded } from '../../model/record-set.ts';
import { quoteFound } from '../../model/problem.ts';
import type { ServiceRecord } from '../../model/records/service.ts';
import type { FieldProblem } from '../../model/validate.ts';
import type { DesiredMatch, DesiredPersistence, DesiredQuorum, DesiredService, DesiredVip } from './desired-state.ts';
import { MAX_KERNEL_SERVICES, countMatches, familiesOf, reaches } from './expansion.ts';
import { finding, findingInWords } from './findings.ts';
import { describeForwarding, forwardingFaults, forwardingOf } from './forwarding.ts';
import { describePorts, onlyPort, portRanges } from './port-ranges.ts';

/** What a record refers to, as far as it is there. */
export interface References {
  /** Whether reals may be of another family than their service, through a tunnel. */
  readonly mixesFamilies: boolean;
  vip(name: string): DesiredVip | null;
  hasVipRecord(name: string): boolean;
  check(name: string): CheckDefinition | null;
  /** A name of that kind that may have been meant. */
  nearest(kind: 'VIP' | 'check', name: string): string | undefined;
}

/** What a service record says, without its reals; nothing is judged yet. */
export function serviceOf(record: Decoded<ServiceRecord>): DesiredService {
  const { name, value, created } = record;
  const forwarding = forwardingOf(value.forward);
  const { sorry, health, drain } = value;
  return {
    name,
    vip: value.vip,
    match: matchOf(value),
    state: value.state,
    scheduler: value.scheduler,
    schedulerFlags: value.schedulerFlags.reduce((bits, flag) => bits | (FLAG_BITS[flag] ?? 0), 0),
    onePacket: value.onePacket,
    persistence: persistenceOf(value),
    forwarding,
    checks: value.checks,
    health: {
      rise: health.rise,
      fall: health.fall,
      initial: health.initial,
      whenDown: health.whenDown,
      floor: health.floor,
      slowStartMs: durationMs(health.slowStart),
    },
    drain: {
      overMs: durationMs(drain.over),
      timeoutMs: drain.timeout === undefined ? null : durationMs(drain.timeout),
    },
    quorum: quorumOf(value),
    sorry:
      sorry === undefined
        ? null
        : {
            address: canonicalAddress(sorry.address),
            port: sorry.port ?? null,
            forwarding: sorry.forward === undefined ? forwarding : forwardingOf(sorry.forward),
          },
    reals: {},
    created: created.toString(),
    held: false,
  };
}

/** IP_VS_SVC_F_SCHED_* of include/uapi/linux/ip_vs.h: each scheduler gives the three bits names of its own. */
const FLAG_BITS: Readonly<Record<string, number>> = {
  'flag-1': 1,
  'flag-2': 2,
  'flag-3': 4,
  'sh-fallback': 1,
  'sh-port': 2,
  'mh-fallback': 1,
  'mh-port': 2,
};

function matchOf({ match }: ServiceRecord): DesiredMatch {
  if ('fwmark' in match) {
    const { fwmark, families, mark } = match;
    if (mark === undefined) return { kind: 'fwmark', fwmark, families };
    return { kind: 'fwmark', fwmark, families, mark: { ports: portRanges(mark.ports), protocols: mark.protocols } };
  }
  return { kind: 'ports', ports: portRanges(match.ports), protocols: match.protocols };
}

function persistenceOf({ persistence }: ServiceRecord): DesiredPersistence | null {
  if (persistence === undefined) return null;
  const { timeout, mask, prefixLength, engine } = persistence;
  return { timeoutSeconds: durationMs(timeout) / 1_000, mask, prefixLength, engine: engine ?? null };
}

function quorumOf({ quorum }: ServiceRecord): DesiredQuorum {
  if ('weight' in quorum) return { unit: 'weight', value: quorum.weight, hysteresis: quorum.hysteresis };
  return { unit: 'reals', value: quorum.reals, hysteresis: quorum.hysteresis };
}

/** What forbids the service as it stands, whatever its reals are. */
export function serviceFaults(service: DesiredService, references: References): FieldProblem[] {
  const vip = references.vip(service.vip);
  const faults = [
    ...checkFaults(service.checks, references),
    ...attributeFaults(service),
    ...forwardingFaults(service.forwarding, 'forward'),
    ...persistenceFaults(service),
  ];
  if (vip === null) {
    const name = quoteFound(service.vip);
    const found = references.hasVipRecord(service.vip) ? `${name}, which cannot be used` : name;
    faults.push(findingInWords('vip', found, existing('VIP', service.vip, references)));
    return faults;
  }
  const count = countMatches(service, vip.addresses);
  if (count > MAX_KERNEL_SERVICES) {
    const allowed = `at most ${MAX_KERNEL_SERVICES} (addresses × ports × protocols)`;
    faults.push(findingInWords('match', `${count} kernel services`, allowed));
  }
  return [...faults, ...sorryFaults(service, vip, references)];
}

export function checkFaults(checks: readonly string[], references: References): FieldProblem[] {
  const faults: FieldProblem[] = [];
  for (const [index, check] of checks.entries()) {
    if (references.check(check) !== null) continue;
    faults.push(finding(`checks[${index}]`, check, existing('check', check, references)));
  }
  return faults;
}

function existing(kind: 'VIP' | 'check', name: string, references: References): string {
  const near = references.nearest(kind, name);
  return `the name of a ${kind} record${near === undefined ? '' : `, such as "${near}"`}`;
}

function attributeFaults(service: DesiredService): FieldProblem[] {
  const faults: FieldProblem[] = [];
  const { match } = service;
  if (match.kind === 'fwmark') return faults;
  if (service.onePacket && match.protocols.some((protocol) => protocol !== 'udp')) {
    faults.push(finding('onePacket', true, 'false, but for udp services and firewall marks'));
  }
  if (match.ports[0]?.first === 0 && service.persistence === null) {
    // ipvsadm refuses it; the kernel takes it and then drops what comes.
    faults.push(findingInWords('match.ports', 'port 0 (every port)', 'port 0 only together with persistence'));
  }
  return faults;
}

/** The flags that a record names; on the record, because their names are lost in the bits. */
export function flagFaults({ scheduler, schedulerFlags }: ServiceRecord): FieldProblem[] {
  const hasNames = scheduler === 'sh' || scheduler === 'mh';
  // sh and mh give names to two of the three flags, and nothing reads the third.
  const own = hasNames
    ? ['flag-1', 'flag-2', `${scheduler}-fallback`, `${scheduler}-port`]
    : ['flag-1', 'flag-2', 'flag-3'];
  return schedulerFlags.flatMap((flag, index) => {
    if (own.includes(flag)) return [];
    return [finding(`schedulerFlags[${index}]`, flag, `a flag of scheduler "${scheduler}": ${own.join(', ')}`)];
  });
}

/** MAX_TIMEOUT of ipvsadm, 31 days: the kernel counts in jiffies, which would overflow unnoticed. */
const MAX_PERSISTENCE_SECONDS = 31 * 86_400;

function persistenceFaults({ persistence, match }: DesiredService): FieldProblem[] {
  if (persistence === null) return [];
  const { timeoutSeconds, engine } = persistence;
  const faults: FieldProblem[] = [];
  if (!Number.isInteger(timeoutSeconds) || timeoutSeconds < 1 || timeoutSeconds > MAX_PERSISTENCE_SECONDS) {
    faults.push(finding('persistence.timeout', `${timeoutSeconds}s`, 'whole seconds, from "1s" to "31d"'));
  }
  if (engine === 'sip' && match.kind === 'ports' && match.protocols.some((protocol) => protocol !== 'udp')) {
    faults.push(finding('persistence.engine', engine, 'an engine for the protocols: "sip" is for udp only'));
  }
  return faults;
}

function sorryFaults(service: DesiredService, vip: DesiredVip, references: References): FieldProblem[] {
  const { sorry } = service;
  if (sorry === null) return [];
  return [
    ...forwardingFaults(sorry.forwarding, 'sorry.forward'),
    ...portFaults(service, sorry, 'sorry.port'),
    ...reachFaults(sorry, 'sorry.address', familiesOf(service, vip.addresses), references),
  ];
}

/** An address that packets of none of the families can get to. */
export function reachFaults(
  { address, forwarding }: Pick<NonNullable<DesiredService['sorry']>, 'address' | 'forwarding'>,
  field: string,
  families: readonly Family[],
  { mixesFamilies }: References,
): FieldProblem[] {
  if (families.some((family) => reaches(forwarding, address, family, mixesFamilies))) return [];
  const other = mixesFamilies
    ? 'or a tunnel to it'
    : 'and no tunnel: the kernel synchronises (kernel.sync) no connections across families';
  return [finding(field, address, `an ${families.join(' or ')} address, ${other}`)];
}

/** A port of its own where the packets keep theirs. */
export function portFaults(
  service: DesiredService,
  to: Pick<NonNullable<DesiredService['sorry']>, 'port' | 'forwarding'>,
  field: string,
): FieldProblem[] {
  const { port, forwarding } = to;
  const { match, persistence } = service;
  if (port === null) return [];
  if (match.kind === 'fwmark') {
    // With persistence, ip_vs_sched_persist() keeps the port of the packet and ignores the destination's.
    if (forwarding.method === 'nat' && persistence === null) return [];
    const how = forwarding.method === 'nat' ? 'persistence' : describeForwarding(forwarding);
    return [finding(field, port, `no port: with ${how}, a firewall mark keeps the port of each packet`)];
  }
  if (match.ports[0]?.first === 0) return [finding(field, port, 'no port: a service on every port keeps each one')];
  if (forwarding.method === 'nat' || port === onlyPort(match.ports)) return [];
  const allowed = `${describePorts(match.ports)}, or no port: only NAT changes it, not ${describeForwarding(forwarding)}`;
  return [finding(field, port, allowed)];
}

/** What is in force but will hardly do what was meant; known only with the reals. */
export function quorumAdvice({ quorum, reals }: DesiredService): FieldProblem[] {
  const { unit, value, hysteresis } = quorum;
  const weights = Object.values(reals).map(({ weight }) => weight);
  const most =
    unit === 'weight' ? weights.reduce((sum, weight) => sum + weight, 0) : weights.filter((w) => w > 0).length;
  const what = unit === 'weight' ? 'the weights of its reals together' : 'the number of its reals with a weight';
  const advice: FieldProblem[] = [];
  if (weights.length > 0 && value + hysteresis > most) {
    const found = `${value}${hysteresis > 0 ? ` + ${hysteresis}` : ''}`;
    advice.push(findingInWords(`quorum.${unit}`, found, `at most ${most}, ${what}; it can never be gained`));
  }
  if (hysteresis >= value) {
    advice.push(finding('quorum.hysteresis', hysteresis, `less than ${value}; it is lost only when no real is up`));
  }
  return advice;
}
