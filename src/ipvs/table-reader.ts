import type { ByteReader } from '../core/bytes.ts';
import type { CodedError } from '../core/errors.ts';
import type { Log } from '../core/ports.ts';
import { ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { destinationKeyOf, serviceKeyOf } from './dataplane.ts';
import type {
  ActualDestination,
  ActualService,
  DataplaneState,
  DestinationActivity,
  DestinationKey,
  KernelDestination,
  KernelService,
  ServiceKey,
  ServiceMatch,
  TrafficStats,
} from './dataplane.ts';
import { describeMatch } from './describe.ts';
import { DumpLog, DumpLogger } from './dump-log.ts';
import type { LoggedEntry } from './dump-log.ts';
import { sameDestination, sameService } from './equality.ts';
import { errnoOf } from './kernel-refusal.ts';
import type { NetlinkClient } from './netlink/client.ts';
import type { NetlinkRequest } from './netlink/message.ts';
import { readDestination, readService } from './replies.ts';
import type { IpvsRequests } from './requests.ts';

/** What is configured of a destination. */
interface Real {
  readonly key: DestinationKey;
  readonly destination: KernelDestination;
}

/** What the last reading said of one service. */
interface KnownService {
  /** Of what was dumped of all services, when its counters were read; null = it was asked for by itself. */
  readonly revision: number | null;
  readonly reals: DumpLog<Real>;
  readonly actual: ActualService;
}

/** A service that was dumped, without its destinations. */
type Dumped = Pick<KnownService, 'revision'> & Omit<ActualService, 'destinations'>;

/** A destination as it was dumped. What it counted is read out of the newest message when somebody asks. */
class DumpedDestination implements ActualDestination, DestinationActivity {
  readonly destination: KernelDestination;
  readonly #log: DumpLog<Real>;
  readonly #entry: LoggedEntry<Real>;

  constructor({ destination }: Real, log: DumpLog<Real>, entry: LoggedEntry<Real>) {
    this.destination = destination;
    this.#log = log;
    this.#entry = entry;
  }

  get activity(): DestinationActivity {
    return this;
  }

  get revision(): number {
    return this.#log.revision;
  }

  get activeConnections(): number {
    return this.#log.connections('activeConnections', this.#entry);
  }

  get inactiveConnections(): number {
    return this.#log.connections('inactiveConnections', this.#entry);
  }

  get persistentConnections(): number {
    return this.#log.connections('persistentConnections', this.#entry);
  }

  get stats(): TrafficStats {
    return this.#log.stats(this.#entry);
  }
}

/**
 * Reads the kernel's table. Most of it is what it was at the last reading: what is configured the same is the same
 * object as before, the destinations of a service all in one, and so is a service of which nothing changed, not even a
 * counter. Those who compare two readings need not look into it.
 */
export class TableReader {
  readonly #client: NetlinkClient;
  readonly #log: Log;
  #services: DumpLog<KernelService> = DumpLog.EMPTY;
  #known = new Map<ServiceKey, KnownService>();

  constructor(client: NetlinkClient, log: Log) {
    this.#client = client;
    this.#log = log;
  }

  async read(requests: IpvsRequests): Promise<Result<DataplaneState, CodedError>> {
    const services = await this.#dumped(requests.services(), this.#services, this.#decodeService);
    if (!services.ok) return services;
    if (services.value !== this.#services) reportUnknown(services.value, 'services', this.#log);
    this.#services = services.value;
    const { revision } = services.value;
    const known = new Map<ServiceKey, KnownService>();
    const state = new Map<ServiceKey, ActualService>();
    for (const entry of services.value.entries) {
      const service = entry.configured;
      if (service === null) continue;
      const key = serviceKeyOf(service.match);
      const before = this.#known.get(key);
      const stats = before?.revision === revision ? before.actual.stats : services.value.stats(entry);
      const dumped = { revision, service, stats };
      const read = await this.#withReals(dumped, before, requests);
      if (!read.ok) return read;
      known.set(key, read.value);
      state.set(key, read.value.actual);
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
      const logger = new DumpLogger(DumpLog.EMPTY, this.#decodeService);
      const found = await this.#client.get(requests.service(match), (message) => {
        logger.take(message, 0);
        return 1;
      });
      if (!found.ok) {
        if (errnoOf(found.error) === 'ESRCH') continue;
        return found;
      }
      const log = logger.finish(found.value ?? 0);
      const [entry] = log.entries;
      if (entry === undefined || entry.configured === null) continue;
      const dumped = { revision: null, service: entry.configured, stats: log.stats(entry) };
      const read = await this.#withReals(dumped, this.#known.get(key), requests);
      if (!read.ok) return read;
      this.#known.set(key, read.value);
      state.set(key, read.value.actual);
    }
    return ok(state);
  }

  /** One dump: the kernel takes the next on this socket only once this one is read to its end. */
  async #withReals(
    dumped: Dumped,
    before: KnownService | undefined,
    requests: IpvsRequests,
  ): Promise<Result<KnownService, CodedError>> {
    const { revision, service, stats } = dumped;
    const { match } = service;
    const last = before?.reals ?? DumpLog.EMPTY;
    const found = await this.#dumped(requests.destinationsOf(match), last, (payload) => {
      const destination = readDestination(payload, match.family);
      if (destination === null) return null;
      // One that came or went moves all that stand behind it; they are still the same.
      const key = destinationKeyOf(destination);
      const known = before?.actual.destinations.get(key)?.destination;
      return { key, destination: known !== undefined && sameDestination(known, destination) ? known : destination };
    });
    if (!found.ok) return found;
    const reals = found.value;
    if (before !== undefined && reals === last) {
      if (before.revision === revision && revision !== null) return ok(before);
      return ok({ revision, reals, actual: { service, stats, destinations: before.actual.destinations } });
    }
    reportUnknown(reals, `reals of ${describeMatch(match)}`, this.#log);
    return ok({ revision, reals, actual: { service, stats, destinations: destinationsIn(reals) } });
  }

  /** @returns the log before if this dump says nothing else */
  async #dumped<C>(
    request: NetlinkRequest,
    before: DumpLog<C>,
    decode: (payload: ByteReader) => C | null,
  ): Promise<Result<DumpLog<C>, CodedError>> {
    const logger = new DumpLogger(before, decode);
    const end = await this.#client.dumpInto(request, logger);
    return end.ok ? ok(logger.finish(end.value)) : end;
  }

  readonly #decodeService = (payload: ByteReader): KernelService | null => {
    const service = readService(payload);
    if (service === null) return null;
    const known = this.#known.get(serviceKeyOf(service.match))?.actual.service;
    return known !== undefined && sameService(known, service) ? known : service;
  };
}

function destinationsIn(log: DumpLog<Real>): Map<DestinationKey, ActualDestination> {
  const destinations = new Map<DestinationKey, ActualDestination>();
  for (const entry of log.entries) {
    const { configured } = entry;
    if (configured === null) continue;
    destinations.set(configured.key, new DumpedDestination(configured, log, entry));
  }
  return destinations;
}

function reportUnknown(log: DumpLog<unknown>, what: string, to: Log): void {
  const skipped = log.entries.filter(({ configured }) => configured === null).length;
  if (skipped > 0) to.warn({ skipped }, `the kernel holds ${what} of a kind that is not known; they are left alone`);
}
