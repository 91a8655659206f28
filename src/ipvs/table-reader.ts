import { ByteReader } from '../core/bytes.ts';
import type { CodedError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { destinationKeyOf, serviceKeyOf } from './dataplane.ts';
import type {
  ActualDestination,
  ActualService,
  DataplaneState,
  DestinationKey,
  ServiceKey,
  ServiceMatch,
} from './dataplane.ts';
import { describeMatch } from './describe.ts';
import { errnoOf } from './kernel-refusal.ts';
import type { NetlinkClient } from './netlink/client.ts';
import { readDestination, readService } from './replies.ts';
import type { DumpedService } from './replies.ts';
import type { IpvsRequests } from './requests.ts';

/** An entry of a dump with the bytes that it was read from. */
interface Remembered<T> {
  readonly bytes: ByteReader;
  readonly value: T;
}

/** What the last reading said of one service. */
interface KnownService {
  readonly entry: Remembered<DumpedService | null>;
  readonly reals: readonly Remembered<ActualDestination | null>[];
  readonly actual: ActualService;
}

/**
 * Reads the kernel's table. Most of it is what it was at the last reading, in the same order: an entry whose bytes are
 * the same is not decoded again but is the same object as before, and so is a service of which nothing changed. Those
 * who compare two readings need not look into it.
 */
export class TableReader {
  readonly #client: NetlinkClient;
  readonly #log: Log;
  #services: readonly Remembered<DumpedService | null>[] = [];
  #known = new Map<ServiceKey, KnownService>();

  constructor(client: NetlinkClient, log: Log) {
    this.#client = client;
    this.#log = log;
  }

  async read(requests: IpvsRequests): Promise<Result<DataplaneState, CodedError>> {
    const services = await this.#client.dump(requests.services(), ({ payload }, index) =>
      entryOf(payload, this.#services[index], readService),
    );
    if (!services.ok) return services;
    this.#services = services.value;
    this.#reportUnknown(services.value, 'services of a kind that vipkeeper does not know');
    const known = new Map<ServiceKey, KnownService>();
    const state = new Map<ServiceKey, ActualService>();
    for (const entry of services.value) {
      if (entry.value === null) continue;
      const key = serviceKeyOf(entry.value.service.match);
      const service = await this.#readReals(entry, entry.value, this.#known.get(key), requests);
      if (!service.ok) return service;
      known.set(key, service.value);
      state.set(key, service.value.actual);
    }
    this.#known = known;
    return ok(state);
  }

  /** Some services only; what the kernel lacks is left out. */
  async readServices(
    matches: readonly ServiceMatch[],
    requests: IpvsRequests,
  ): Promise<Result<DataplaneState, CodedError>> {
    const state = new Map<ServiceKey, ActualService>();
    for (const match of matches) {
      const key = serviceKeyOf(match);
      const before = this.#known.get(key);
      const entry = await this.#client.get(requests.service(match), ({ payload }) =>
        entryOf(payload, before?.entry, readService),
      );
      if (!entry.ok && errnoOf(entry.error) !== 'ESRCH') return entry;
      if (!entry.ok || entry.value === null || entry.value.value === null) continue;
      const service = await this.#readReals(entry.value, entry.value.value, before, requests);
      if (!service.ok) return service;
      this.#known.set(key, service.value);
      state.set(key, service.value.actual);
    }
    return ok(state);
  }

  /** One dump: the kernel takes the next on this socket only once this one is read to its end. */
  async #readReals(
    entry: KnownService['entry'],
    dumped: DumpedService,
    before: KnownService | undefined,
    requests: IpvsRequests,
  ): Promise<Result<KnownService, CodedError>> {
    const { match } = dumped.service;
    const decode = (payload: ByteReader): ActualDestination | null => readDestination(payload, match.family);
    const found = await this.#client.dump(requests.destinationsOf(match), ({ payload }, index) =>
      entryOf(payload, before?.reals[index], decode),
    );
    if (!found.ok) return found;
    const reals = found.value;
    if (before !== undefined && isSameList(reals, before.reals)) {
      if (before.entry === entry) return ok(before);
      return ok({ ...before, entry, actual: { ...dumped, destinations: before.actual.destinations } });
    }
    this.#reportUnknown(reals, `reals of ${describeMatch(match)} of a kind that is not known`);
    const destinations = new Map<DestinationKey, ActualDestination>();
    for (const { value } of reals) if (value !== null) destinations.set(destinationKeyOf(value.destination), value);
    return ok({ entry, reals, actual: { ...dumped, destinations } });
  }

  #reportUnknown(entries: readonly Remembered<unknown>[], what: string): void {
    const skipped = entries.filter(({ value }) => value === null).length;
    if (skipped > 0) this.#log.warn({ skipped }, `the kernel holds ${what}; they are left alone`);
  }
}

/** @throws DecodeError */
function entryOf<T>(
  payload: ByteReader,
  before: Remembered<T> | undefined,
  decode: (payload: ByteReader) => T,
): Remembered<T> {
  if (before?.bytes.sameAs(payload) === true) return before;
  const bytes = payload.rest();
  return { bytes: new ByteReader(bytes), value: decode(payload) };
}

function isSameList(a: readonly unknown[], b: readonly unknown[]): boolean {
  return a.length === b.length && a.every((one, index) => one === b[index]);
}
