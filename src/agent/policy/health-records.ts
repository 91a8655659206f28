import type { DataplaneState } from '../../ipvs/dataplane.ts';
import { formatEndpoint } from '../../model/address.ts';
import type { IpAddress } from '../../model/address.ts';
import { STATE_VERSION } from '../../model/records/state.ts';
import type { HealthRecord } from '../../model/records/state.ts';
import { isoTime } from '../../model/time.ts';
import { DrainWatch, leavingProgress } from './drain-progress.ts';
import type { RealProgress } from './drain-progress.ts';
import type { Effective, EffectiveReal, EffectiveService } from './effective-state.ts';
import type { LeavingEntry } from './journal.ts';
import type { VipAdvertisement } from './routes.ts';

/** What one agent says about a service; the publisher adds in which session, at which revision and when. */
export type HealthContent = Omit<HealthRecord, 'session' | 'revision' | 'at' | 'validUntil'>;

type RealHealth = HealthRecord['reals'][string];
type Progress = NonNullable<RealHealth['drain']>;

export interface HealthRecordInput {
  readonly agent: string;
  readonly effective: Effective;
  /** By VIP name. */
  readonly vips: ReadonlyMap<string, VipAdvertisement>;
  readonly leaving: readonly LeavingEntry[];
  /** What the kernel holds; null = not known. */
  readonly actual: DataplaneState | null;
}

/**
 * The health records of this agent by service name: every real that is wanted, and those that are leaving. One by one,
 * since those of ten thousand reals are megabytes, of which most say what they said before.
 */
export function* healthRecords(input: HealthRecordInput): Generator<[string, HealthContent], void, undefined> {
  const drains = new DrainWatch(input);
  for (const service of input.effective.services.values()) {
    yield [service.name, healthRecord(service, drains, input)];
  }
}

function healthRecord(
  service: EffectiveService,
  drains: DrainWatch,
  { agent, vips }: HealthRecordInput,
): HealthContent {
  const reals = new Map<string, RealHealth>();
  for (const real of service.reals.values()) reals.set(real.name, realHealth(real, drains.ofReal(service, real)));
  for (const entry of drains.leavingOf(service.name)) {
    const { target, name } = identityOf(entry);
    // A real whose address was changed is shown where it is going, not where it comes from.
    if (!reals.has(name)) reals.set(name, leavingHealth(entry, target));
  }
  return {
    v: STATE_VERSION,
    agent,
    quorum: service.quorum.state,
    advertised: vips.get(service.vip)?.advertised ?? false,
    reals: Object.fromEntries(reals),
  };
}

function realHealth({ target, verdict, weight, state, kept }: EffectiveReal, drain: RealProgress | null): RealHealth {
  return {
    target,
    verdict: verdict.state,
    since: isoTime(verdict.since),
    cause: verdict.cause,
    weight,
    state,
    ...(drain === null ? {} : { drain: progressContent(drain) }),
    ...(kept ? { kept } : {}),
  };
}

/** As it stands in records and on the status page. */
export function progressContent({ since, connections, deadline, done }: RealProgress): Progress {
  return {
    since: since === null ? null : isoTime(since),
    connections: { ...connections },
    deadline: deadline === null ? null : isoTime(deadline),
    done,
  };
}

function leavingHealth(entry: LeavingEntry, target: string): RealHealth {
  const { weight, since, until } = entry;
  const standIn = weight > 0 ? ', standing in until others have a verdict' : '';
  const cause = `leaving${standIn}: deleted when its connections are over, at the latest at ${isoTime(until)}`;
  const drain = progressContent(leavingProgress(entry));
  return { target, verdict: 'unknown', since: isoTime(since), cause, weight, state: 'leaving', drain };
}

function identityOf({ destination, real }: LeavingEntry): { readonly target: string; readonly name: string } {
  const [address = '', port = '0'] = destination.split('|');
  const target = port === '0' ? address : formatEndpoint(address as IpAddress, Number(port));
  return { target, name: real ?? target };
}
