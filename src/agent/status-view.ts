import type { PeerStatus } from '../bgp/port.ts';
import type { Verdicts } from '../checks/port.ts';
import type { DataplaneState } from '../ipvs/dataplane.ts';
import { describeMatch } from '../ipvs/describe.ts';
import type { DriftKind } from '../model/drift-kinds.ts';
import type { Problem } from '../model/problem.ts';
import type { DrainView, KernelView, PeerView, ServiceView, StatusView, VipView } from '../model/status.ts';
import { isoTime } from '../model/time.ts';
import type { SessionState } from '../sources/source.ts';
import type { IntakeView } from './config-intake.ts';
import type { Event } from './history.ts';
import type { Counters } from './counters.ts';
import { connectionsOf, totalOf } from './policy/connections.ts';
import type { Desired } from './policy/desired-state.ts';
import { DrainWatch } from './policy/drain-progress.ts';
import { isActive } from './policy/drains.ts';
import type { TrafficLedger } from './traffic-ledger.ts';
import { progressContent } from './policy/health-records.ts';
import type { KernelReport } from './kernel-report.ts';
import type { PublisherState } from './publisher.ts';
import type { PassView } from './reconciler.ts';
import { serviceViews } from './service-view.ts';
import { settingViews } from './settings-view.ts';
import type { SettingsReport } from './settings-driver.ts';

/** Everything that the status is made of. Times are wall-clock milliseconds. */
export interface StatusInput {
  readonly agent: string;
  readonly version: string;
  readonly pid: number;
  readonly startedAt: number;
  readonly now: number;
  readonly sourceName: string;
  readonly session: SessionState;
  readonly publishing: PublisherState;
  readonly intake: IntakeView;
  readonly accepted: Desired | null;
  readonly pass: PassView | null;
  /** Why the last pass broke off, null = it did not. */
  readonly passFailure: string | null;
  /** The newest, by key of the wanted check. */
  readonly verdicts: Verdicts;
  readonly kernel: KernelReport;
  readonly settings: SettingsReport;
  /** What is not as it should be on this machine. */
  readonly advice: readonly Problem[];
  readonly peers: readonly PeerStatus[];
  readonly routeFailures: readonly string[];
  readonly counters: Counters;
  readonly history: readonly Event[];
  readonly ledger: TrafficLedger;
  /** When counters and connections were read. */
  readonly countedAt: number | null;
}

/** The read model without what grows with the number of reals: what the agent says of itself in the store. */
export type StatusOverview = Omit<StatusView, 'vips' | 'services'>;

/**
 * The read model of one moment. Its services are put together when they are first looked at, from what is known then:
 * whoever wants both of one moment looks before the turn of the event loop ends. The reals of a service can wait: they
 * stay as they were when the services were put together.
 */
export function statusView(input: StatusInput): StatusView {
  let services: ServiceView[] | null = null;
  return {
    ...statusOverview(input),
    vips: vipViews(input.pass),
    get services() {
      return (services ??= input.pass === null ? [] : serviceViews({ ...input, pass: input.pass }));
    },
  };
}

export function statusOverview(input: StatusInput): StatusOverview {
  const notReady = reasonsNotReady(input);
  const { intake, accepted, now } = input;
  return {
    agent: input.agent,
    version: input.version,
    pid: input.pid,
    startedAt: isoTime(input.startedAt),
    now: isoTime(now),
    ready: notReady.length === 0,
    notReady,
    store: storeView(input),
    configuration: {
      seenRevision: intake.seenRevision,
      acceptedRevision: accepted?.revision ?? null,
      position: intake.position,
      acceptedAt: timeOrNull(intake.acceptedAt),
      origin: intake.origin,
      ageSeconds: accepted === null || intake.confirmedAt === null ? null : configurationAge(input, intake.confirmedAt),
    },
    problems: [...intake.problems, ...input.advice].map((problem) => ({ ...problem })),
    holds: intake.hold === null ? [] : [holdView(intake.hold)],
    drains: drainViews(input),
    peers: input.peers.map(peerView),
    kernel: kernelView(input),
    history: input.history.map(({ at, what, why }) => ({ at: isoTime(at), what, why })),
  };
}

/**
 * Why the agent is not ready, for whoever waits for it: nothing in force, a kernel that does not hold what it should,
 * a BGP problem, or a name that is taken. A lost store is none of these while the last accepted set is in force.
 */
function reasonsNotReady(input: StatusInput): string[] {
  const reasons: string[] = [];
  const { accepted, pass, publishing } = input;
  if (accepted === null) reasons.push(input.intake.failure ?? nothingInForce(input.intake));
  else if (pass === null) reasons.push('the first pass is not over yet');
  if (input.passFailure !== null) reasons.push(`the last pass broke off: ${input.passFailure}`);
  const failures = kernelFailures(input);
  const [failure] = failures;
  const more = failures.length > 1 ? ` (and ${failures.length - 1} more)` : '';
  if (failure !== undefined) reasons.push(`dataplane: ${failure}${more}`);
  reasons.push(...input.kernel.hindrances.map((text) => `dataplane: ${text}`));
  reasons.push(...input.routeFailures.map((text) => `bgp: ${text}`));
  if (publishing.kind === 'contested' && publishing.final) {
    reasons.push(`another agent publishes under the name ${input.agent} (session ${publishing.session})`);
  }
  return reasons;
}

function nothingInForce({ rootExists }: IntakeView): string {
  return rootExists === null
    ? 'there is no configuration yet: the store has not been read'
    : 'there is no configuration yet: the root is not in the store';
}

/** While the session stands, the watch confirms the set at every moment. */
function configurationAge({ session, now, intake }: StatusInput, confirmedAt: number): number {
  if (session.kind === 'connected' && intake.failure === null && intake.origin === 'store') return 0;
  return Math.max(0, Math.round((now - confirmedAt) / 100) / 10);
}

function storeView({ sourceName, session, publishing, intake }: StatusInput): StatusView['store'] {
  const connected = session.kind === 'connected';
  return {
    source: sourceName,
    state: session.kind,
    since: session.kind === 'closed' ? null : isoTime(session.since),
    session: connected ? session.session : null,
    server: connected ? session.server : null,
    lastError: session.kind === 'connecting' ? session.lastError : connected ? intake.failure : null,
    publishing: publishingText(publishing),
  };
}

function publishingText(state: PublisherState): string {
  if (state.kind === 'ok') return 'ok';
  if (state.kind === 'offline') return state.why;
  const since = `since ${isoTime(state.since)}`;
  return state.final
    ? `refused: session ${state.session} holds our name ${since}`
    : `waiting for session ${state.session}, which holds our name ${since}, to end`;
}

function holdView(hold: NonNullable<IntakeView['hold']>): StatusView['holds'][number] {
  return { revision: hold.revision, why: hold.why, since: isoTime(hold.since), lost: [...hold.lost] };
}

function drainViews({ accepted, pass, kernel, now }: StatusInput): DrainView[] {
  if (accepted === null) return [];
  const watch = pass === null ? null : drainWatch(pass, kernel);
  return Object.values(accepted.drains).map((drain) => {
    const progress = watch?.ofDrain(drain, accepted.agent.name, now) ?? null;
    return {
      name: drain.name,
      target: targetText(drain.target),
      by: drain.by,
      why: drain.why,
      until: timeOrNull(drain.until),
      inForce: isActive(drain, now),
      progress:
        progress === null
          ? null
          : { reals: progress.reals, realsDone: progress.realsDone, ...progressContent(progress) },
    };
  });
}

function drainWatch({ effective }: PassView, { leaving, picture }: KernelReport): DrainWatch {
  return new DrainWatch({ effective, leaving, actual: picture?.services ?? null });
}

function targetText(target: Desired['drains'][string]['target']): string {
  switch (target.kind) {
    case 'real':
      return `${target.service}/${target.real}`;
    case 'service':
      return target.service;
    case 'vip':
      return `vip:${target.vip}`;
    case 'agent':
      return `agent:${target.agent}`;
  }
}

function vipViews(pass: PassView | null): VipView[] {
  if (pass === null) return [];
  return [...pass.effective.vips.values()].map((vip) => {
    const advertisement = pass.vips.get(vip.name);
    return {
      name: vip.name,
      addresses: [...vip.addresses],
      interface: vip.interface,
      advertised: advertisement?.advertised ?? false,
      reason: advertisement?.reason ?? '',
    };
  });
}

function peerView(peer: PeerStatus): PeerView {
  return {
    name: peer.name,
    address: peer.address,
    asn: peer.asn,
    state: peer.state,
    since: isoTime(peer.since),
    announced: peer.announced,
    endOfRibSent: peer.endOfRibSent,
    lastError: peer.lastError,
    flaps: peer.flaps,
  };
}

function kernelView(input: StatusInput): KernelView {
  const { kernel, counters, countedAt } = input;
  const repairs = repairCounts(input);
  const services = kernel.picture?.services;
  const foreign = new Set(kernel.foreign);
  const ours = [...(services ?? [])].filter(([key]) => !foreign.has(key));
  return {
    adapter: kernel.adapter,
    services: ours.length,
    destinations: ours.reduce((sum, [, { destinations }]) => sum + destinations.size, 0),
    foreignServices: kernel.foreign.map((key) => {
      const held = services?.get(key);
      return held === undefined ? key : describeMatch(held.service.match);
    }),
    leaving: kernel.leaving.map(({ key, destination, until }) => {
      return { service: key, real: destination, until: isoTime(until) };
    }),
    leavingAddresses: kernel.leavingAddresses.map((each) => ({ ...each, until: timeOrNull(each.until) })),
    ...tableView(services ?? new Map()),
    connectionTableSize: kernel.info?.connectionTableSize ?? null,
    version: kernel.info?.version ?? null,
    countedAt: timeOrNull(countedAt),
    lastRead: timeOrNull(kernel.lastRead),
    lastApply: timeOrNull(kernel.lastApply),
    lastOps: kernel.lastOps,
    opsTotal: counters.operations,
    repairsTotal: [...repairs.values()].reduce((sum, count) => sum + count, 0),
    repairsByKind: Object.fromEntries(repairs),
    repairs: kernel.repairs.map(({ at, kind, text }) => ({ at: isoTime(at), kind, found: text })),
    settings: settingViews(input.settings),
    failures: kernelFailures(input),
  };
}

/** Every connection and every template is an entry, but for those of destinations that were deleted with them open. */
function tableView(services: DataplaneState) {
  let tableDestinations = 0;
  let connectionEntries = 0;
  for (const { destinations } of services.values()) {
    tableDestinations += destinations.size;
    for (const { activity } of destinations.values()) connectionEntries += totalOf(connectionsOf(activity));
  }
  return { tableServices: services.size, tableDestinations, connectionEntries };
}

function repairCounts({ kernel, settings }: StatusInput): ReadonlyMap<DriftKind, number> {
  const changed = [...settings.drifts.values()].reduce((sum, count) => sum + count, 0);
  return new Map<DriftKind, number>([...kernel.repairCounts, ['setting-changed', changed]]);
}

function kernelFailures({ kernel, settings }: StatusInput): string[] {
  return [...kernel.failures, ...settings.failures];
}

function timeOrNull(ms: number | null): string | null {
  return ms === null ? null : isoTime(ms);
}
