import type { Verdicts } from '../checks/port.ts';
import { sharedAs } from '../ipvs/nftables/abilities.ts';
import type { ProgressView, RealView, ServiceView, TrafficView } from '../model/status.ts';
import { isoTime } from '../model/time.ts';
import { ActivityTable } from './activity-table.ts';
import type { KernelReport } from './kernel-report.ts';
import { DrainWatch } from './policy/drain-progress.ts';
import type { EffectiveReal, EffectiveService } from './policy/effective-state.ts';
import { EntryNames } from './policy/entry-names.ts';
import { progressContent } from './policy/health-records.ts';
import type { Rates, Totals } from './policy/traffic-figures.ts';
import { latencyOf } from './policy/verdicts.ts';
import type { PassView } from './reconciler.ts';
import type { TrafficLedger } from './traffic-ledger.ts';

/** What the views of services are made of. */
export interface ServiceInput {
  readonly pass: PassView;
  readonly kernel: Pick<KernelReport, 'adapter' | 'leaving' | 'picture'>;
  readonly ledger: TrafficLedger;
  /** The newest, by key of the wanted check. */
  readonly verdicts: Verdicts;
}

/**
 * All services as they are at this moment. Their reals are written out each time that somebody looks at them: ten
 * thousand in one turn of the event loop would hold up everything else, and most are looked at once, one service after
 * another. Until then there is only what may be another the next moment, in little room.
 */
export function serviceViews(input: ServiceInput): ServiceView[] {
  const { effective } = input.pass;
  const { leaving, picture } = input.kernel;
  const actual = picture?.services ?? null;
  const names = new EntryNames(effective, leaving);
  const drains = new DrainWatch({ effective, leaving, actual });
  return Array.from(effective.services.values(), (service) =>
    serviceView(service, new ActivityTable(service, names, actual), drains, input),
  );
}

/** A real as it was decided about, and what may be another the next moment. */
interface RealOfMoment {
  readonly real: EffectiveReal;
  readonly totals: Totals;
  readonly latencyMs: number | null;
  readonly drain: ProgressView | null;
}

function serviceView(
  service: EffectiveService,
  activity: ActivityTable,
  drains: DrainWatch,
  { pass, kernel, ledger, verdicts }: ServiceInput,
): ServiceView {
  const { connections, rates } = activity.ofService();
  const reals = Array.from(service.reals.values(), (real): RealOfMoment => {
    const drain = drains.ofReal(service, real);
    return {
      real,
      totals: ledger.ofReal(service.name, real.name),
      latencyMs: latencyOf(real.checks, verdicts),
      drain: drain === null ? null : progressContent(drain),
    };
  });
  return {
    name: service.name,
    vip: service.vip,
    state: service.state,
    scheduler: schedulerText(pass.desired.services[service.name]?.scheduler ?? '', kernel.adapter),
    kernelServices: service.kernelKeys.length,
    quorum: service.quorum.state,
    quorumCause: service.quorum.cause,
    sorry: service.sorry,
    connections,
    traffic: trafficView(ledger.ofService(service.name), rates),
    get reals() {
      return reals.map((real) => realView(real, activity));
    },
  };
}

/** An adapter may let another scheduler stand in for the one that the record asks for. */
function schedulerText(scheduler: string, adapter: string): string {
  const standIn = adapter === 'nftables' ? sharedAs(scheduler) : null;
  return standIn === null ? scheduler : `${scheduler} (as ${standIn})`;
}

function realView({ real, totals, latencyMs, drain }: RealOfMoment, activity: ActivityTable): RealView {
  const { connections, rates } = activity.ofReal(real.name);
  return {
    name: real.name,
    target: real.target,
    state: real.state,
    verdict: real.verdict.state,
    since: real.verdict.since === 0 ? null : isoTime(real.verdict.since),
    cause: real.verdict.cause,
    latencyMs,
    configuredWeight: real.configuredWeight,
    weight: real.weight,
    kept: real.kept,
    reason: real.reason,
    activeConnections: connections.active,
    inactiveConnections: connections.inactive,
    persistentConnections: connections.persistent,
    traffic: trafficView(totals, rates),
    drain,
  };
}

/** Field by field: to spread a record costs six times as much, and there is one of these for every real. */
function trafficView(totals: Totals, rates: Rates): TrafficView {
  return {
    connections: totals.connections,
    inPackets: totals.inPackets,
    outPackets: totals.outPackets,
    inBytes: totals.inBytes,
    outBytes: totals.outBytes,
    connectionsPerSecond: rates.connectionsPerSecond,
    inPacketsPerSecond: rates.inPacketsPerSecond,
    outPacketsPerSecond: rates.outPacketsPerSecond,
    inBytesPerSecond: rates.inBytesPerSecond,
    outBytesPerSecond: rates.outBytesPerSecond,
  };
}
