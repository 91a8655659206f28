import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type {
  ActualDestination,
  ActualService,
  DataplaneInfo,
  DataplaneState,
  DestinationKey,
  KernelDestination,
  ServiceKey,
  TrafficStats,
} from '../dataplane.ts';
import { clean } from './command.ts';
import type { RunProgram } from '../program.ts';
import { parseListing } from './listing.ts';
import type { Listing } from './listing.ts';
import { parseSaved } from './saved.ts';
import type { SavedService } from './saved.ts';

/** The runs see the table one after another; when it changes in between, they are repeated at most so often. */
const ATTEMPTS = 3;

/** Everything that is in the table, put together from what five runs of ipvsadm print. */
export function readState(run: RunProgram): Promise<Result<DataplaneState, CodedError>> {
  return untilSettled(async (): Promise<Result<DataplaneState | null, CodedError>> => {
    const saved = await readSaved(run);
    if (!saved.ok) return saved;
    if (saved.value?.size === 0) return ok(new Map());
    const stats = await readListing(run, '--stats', 5);
    if (!stats.ok) return stats;
    const rates = await readListing(run, '--rate', 5);
    if (!rates.ok) return rates;
    const connections = await readListing(run, '--persistent-conn', 4);
    if (!connections.ok) return connections;
    return ok(withActivity(saved.value, stats.value, rates.value, connections.value));
  });
}

/** The entries without their counters, in two runs. */
export function readEntries(run: RunProgram): Promise<Result<ReadonlyMap<ServiceKey, SavedService>, CodedError>> {
  return untilSettled(() => readSaved(run));
}

/** "IP Virtual Server version 1.2.1 (size=4096)": the first line of a listing, and all there is to be known. */
export async function readInfo(run: RunProgram): Promise<Result<DataplaneInfo, CodedError>> {
  return output(run, ['--list', '--numeric'], (text) => {
    const [, version, size] = /^IP Virtual Server version (\S+) \(size=(\d+)\)/.exec(text) ?? [];
    if (version === undefined) return err('no line with version and size');
    return ok({ version, connectionTableSize: Number(size) });
  });
}

async function untilSettled<T>(read: () => Promise<Result<T | null, CodedError>>): Promise<Result<T, CodedError>> {
  for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
    const seen = await read();
    if (!seen.ok) return seen;
    if (seen.value !== null) return ok(seen.value);
  }
  const text = `the table changed under each of ${ATTEMPTS} readings`;
  return err(new CodedError('IPVSADM_FAILED', text, { transient: true }));
}

/** @returns null in the place of the table when the two runs did not see the same entries */
async function readSaved(run: RunProgram): Promise<Result<ReadonlyMap<ServiceKey, SavedService> | null, CodedError>> {
  const saved = await output(run, ['--save', '--numeric'], parseSaved);
  if (!saved.ok || saved.value.size === 0) return saved;
  const thresholds = await readListing(run, '--thresholds', 4);
  return thresholds.ok ? ok(withThresholds(saved.value, thresholds.value)) : thresholds;
}

function readListing(run: RunProgram, option: string, columns: number): Promise<Result<Listing, CodedError>> {
  return output(run, ['--list', '--numeric', '--exact', option], (text) => parseListing(text, columns));
}

async function output<T>(
  run: RunProgram,
  args: readonly string[],
  parse: (text: string) => Result<T, string>,
): Promise<Result<T, CodedError>> {
  const end = await run(args);
  if (!end.ok) return end;
  const name = `ipvsadm ${args.join(' ')}`;
  if (!clean(end.value)) {
    const { status, stderr } = end.value;
    return err(new CodedError('IPVSADM_FAILED', `${name} ended with status ${status}: ${stderr}`));
  }
  const parsed = parse(end.value.stdout);
  if (parsed.ok) return parsed;
  return err(new CodedError('IPVSADM_FAILED', `${name} printed what we cannot read: ${parsed.error}`));
}

function withThresholds(
  saved: ReadonlyMap<ServiceKey, SavedService>,
  listing: Listing,
): ReadonlyMap<ServiceKey, SavedService> | null {
  const table = new Map<ServiceKey, SavedService>();
  for (const [key, { service, destinations }] of saved) {
    const complete = new Map<DestinationKey, KernelDestination>();
    for (const [each, destination] of destinations) {
      const row = listing.destinations.get(key)?.get(each);
      if (row === undefined) return null;
      const [upper = 0n, lower = 0n] = row;
      complete.set(each, { ...destination, upperThreshold: Number(upper), lowerThreshold: Number(lower) });
    }
    table.set(key, { service, destinations: complete });
  }
  return table;
}

function withActivity(
  saved: ReadonlyMap<ServiceKey, SavedService> | null,
  stats: Listing,
  rates: Listing,
  connections: Listing,
): DataplaneState | null {
  if (saved === null) return null;
  const state = new Map<ServiceKey, ActualService>();
  for (const [key, { service, destinations }] of saved) {
    const ofService = trafficOf(stats.services.get(key), rates.services.get(key));
    const actual = new Map<DestinationKey, ActualDestination>();
    for (const [each, destination] of destinations) {
      const row = (listing: Listing): readonly bigint[] | undefined => listing.destinations.get(key)?.get(each);
      const traffic = trafficOf(row(stats), row(rates));
      const counts = row(connections);
      if (traffic === null || counts === undefined) return null;
      const [, persistent = 0n, active = 0n, inactive = 0n] = counts;
      actual.set(each, {
        destination,
        activity: {
          activeConnections: Number(active),
          inactiveConnections: Number(inactive),
          persistentConnections: Number(persistent),
          stats: traffic,
        },
      });
    }
    if (ofService === null) return null;
    state.set(key, { service, stats: ofService, destinations: actual });
  }
  return state;
}

function trafficOf(totals: readonly bigint[] | undefined, rates: readonly bigint[] | undefined): TrafficStats | null {
  if (totals === undefined || rates === undefined) return null;
  const [connections = 0n, inPackets = 0n, outPackets = 0n, inBytes = 0n, outBytes = 0n] = totals;
  const [cps = 0n, inPps = 0n, outPps = 0n, inBps = 0n, outBps = 0n] = rates;
  return {
    connections,
    inPackets,
    outPackets,
    inBytes,
    outBytes,
    connectionsPerSecond: Number(cps),
    inPacketsPerSecond: Number(inPps),
    outPacketsPerSecond: Number(outPps),
    inBytesPerSecond: Number(inBps),
    outBytesPerSecond: Number(outBps),
  };
}
