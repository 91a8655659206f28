import type { KernelPorts } from '../../src/agent/kernel-ports.ts';
import { CodedError } from '../../src/core/errors.ts';
import type { Result } from '../../src/core/result.ts';
import { err, ok } from '../../src/core/result.ts';
import type { AddressOp, InterfaceAddress, InterfaceAddresses } from '../../src/ipvs/addresses.ts';
import type {
  ActualDestination,
  Dataplane,
  DataplaneInfo,
  DataplaneOp,
  DataplaneState,
  DestinationKey,
  ServiceKey,
  TrafficStats,
} from '../../src/ipvs/dataplane.ts';
import { serviceKeyOf, servicesIn } from '../../src/ipvs/dataplane.ts';
import type { NeighborAnnouncer } from '../../src/ipvs/announce/neighbor-announcer.ts';
import { MemoryDataplane } from '../../src/ipvs/memory-dataplane.ts';
import { MemorySettings } from '../../src/ipvs/settings/memory-settings.ts';
import type { IpvsSettings } from '../../src/ipvs/settings/settings.ts';
import { MemoryInterfaceAddresses } from '../../src/ipvs/memory-interface-addresses.ts';
import { noPacketMarks } from '../../src/ipvs/packet-marks.ts';
import type { PacketMarks } from '../../src/ipvs/packet-marks.ts';
import { opText } from './model-kernel.ts';

/** The kernel of a host: it outlives the agents that open it, and writes down what they do to it. */
export class HostKernel {
  /** Every operation that was sent, in words, whatever became of it. */
  readonly events: string[];
  readonly #dataplane: MemoryDataplane;
  readonly #addresses: MemoryInterfaceAddresses;
  /** Settings of the host by dotted name; what is not here, the kernel has not. */
  readonly sysctls = new Map<string, string>();
  readonly settings = new MemorySettings({ missing: ['net.ipv4.vs.est_nice'] });
  /** Open connections by service and destination key, "tcp|192.0.2.10|80 10.0.0.1|80". */
  readonly connections = new Map<string, number>();
  /** Counters by service key, and by service and destination key. */
  readonly traffic = new Map<string, Partial<TrafficStats>>();
  reads = 0;
  /** Readings of some services only, each with their keys. */
  readonly narrowReads: ServiceKey[][] = [];
  info: DataplaneInfo = { version: '1.2.1', connectionTableSize: 4_096 };
  /** Stands in for the rules that mark packets. */
  marks: PacketMarks = noPacketMarks;
  opened: string[] = [];
  closed = 0;
  /** Called in every reading. */
  onRead: () => void = () => undefined;
  /** Set: every reading fails with it. */
  unreadable: CodedError | null = null;
  /** Set: opening fails with it. */
  unopenable: CodedError | null = null;
  /** Set: no neighbour can be told of an address. */
  unannounceable: CodedError | null = null;
  /** As the option of the memory dataplane. */
  disturb: (op: DataplaneOp) => string | null = () => null;
  disturbAddress: (op: AddressOp) => string | null = () => null;

  constructor(
    options: {
      readonly events?: string[];
      readonly addresses?: readonly InterfaceAddress[];
      readonly schedulers?: readonly string[];
    } = {},
  ) {
    const { events = [], addresses = [], schedulers } = options;
    this.events = events;
    this.#dataplane = new MemoryDataplane({
      ...(schedulers === undefined ? {} : { schedulers }),
      disturb: (op) => this.disturb(op),
    });
    this.#addresses = new MemoryInterfaceAddresses({ addresses, disturb: (op) => this.disturbAddress(op) });
  }

  readonly open = (kind: string): Promise<KernelPorts> => {
    if (this.unopenable !== null) return Promise.reject(this.unopenable);
    this.opened.push(kind);
    return Promise.resolve({
      dataplane: this.#dataplanePort(kind),
      addresses: this.#addressPort(),
      neighbors: this.#neighborPort(),
      marks: this.marks,
    });
  };

  readonly openSettings = (): Promise<IpvsSettings> => Promise.resolve(this.settings);

  /** Somebody else's operations, as with ipvsadm: not in `events`. */
  async outsider(ops: readonly DataplaneOp[]): Promise<void> {
    const { failed } = await this.#dataplane.apply(ops);
    if (failed.length > 0) throw new Error(failed.map(({ error }) => error.message).join('; '));
  }

  async outsiderAddress(op: AddressOp): Promise<void> {
    const { failed } = await this.#addresses.apply([op]);
    if (failed.length > 0) throw new Error(failed.map(({ error }) => error.message).join('; '));
  }

  async state(): Promise<DataplaneState> {
    const state = await this.#dataplane.read();
    if (!state.ok) throw state.error;
    return state.value;
  }

  /** Services by key with their weights: `{ 'tcp|192.0.2.10|80': '10.0.0.1|80 10, 10.0.0.2|80 0' }`. */
  async table(): Promise<Record<string, string>> {
    const services = [...(await this.state())].map(([key, { destinations }]): [string, string] => [
      key,
      [...destinations].map(([name, { destination }]) => `${name} ${destination.weight}`).join(', '),
    ]);
    return Object.fromEntries(services);
  }

  async addresses(): Promise<string[]> {
    const addresses = await this.#addresses.read();
    return addresses.ok ? addresses.value.map((each) => `${each.interface} ${each.address}`) : [];
  }

  /** Takes what has happened since the last time. */
  take(): string[] {
    return this.events.splice(0);
  }

  #dataplanePort(name: string): Dataplane {
    let open = true;
    return {
      name,
      read: async (): Promise<Result<DataplaneState, CodedError>> => {
        this.reads++;
        this.onRead();
        if (!open) return err(new CodedError('NETLINK_UNAVAILABLE', 'it was closed'));
        if (this.unreadable !== null) return err(this.unreadable);
        return ok(this.#withConnections(await this.state()));
      },
      readServices: async (matches): Promise<Result<DataplaneState, CodedError>> => {
        this.narrowReads.push(matches.map(serviceKeyOf));
        if (!open) return err(new CodedError('NETLINK_UNAVAILABLE', 'it was closed'));
        if (this.unreadable !== null) return err(this.unreadable);
        return ok(this.#withConnections(servicesIn(await this.state(), matches)));
      },
      info: () => Promise.resolve(ok(this.info)),
      apply: (ops) => {
        if (!open) throw new Error('operations after the close');
        this.events.push(...ops.map(opText));
        return this.#dataplane.apply(ops);
      },
      close: () => {
        open = false;
        this.closed++;
        return Promise.resolve();
      },
    };
  }

  #addressPort(): InterfaceAddresses {
    return {
      read: () => this.#addresses.read(),
      apply: (ops) => {
        for (const { kind, interface: name, address } of ops) {
          this.events.push(`${kind === 'addAddress' ? 'add' : 'delete'} address ${name} ${address}`);
        }
        return this.#addresses.apply(ops);
      },
      close: () => Promise.resolve(),
    };
  }

  #neighborPort(): NeighborAnnouncer {
    return {
      announce: (addresses) =>
        Promise.resolve(
          addresses.map(({ interface: name, address }) => {
            if (name === 'lo') return ok('noNeighbors');
            this.events.push(`announce ${name} ${address}`);
            return this.unannounceable === null ? ok('sent') : err(this.unannounceable);
          }),
        ),
      close: () => Promise.resolve(),
    };
  }

  #withConnections(state: DataplaneState): DataplaneState {
    const counted = (
      key: ServiceKey,
      [name, { destination, activity }]: [DestinationKey, ActualDestination],
    ): [DestinationKey, ActualDestination] => {
      const activeConnections = this.connections.get(`${key} ${name}`) ?? 0;
      const stats = { ...activity.stats, ...this.traffic.get(`${key} ${name}`) };
      return [name, { destination, activity: { ...activity, activeConnections, stats } }];
    };
    return new Map(
      [...state].map(([key, service]) => [
        key,
        {
          ...service,
          stats: { ...service.stats, ...this.traffic.get(key) },
          destinations: new Map([...service.destinations].map((entry) => counted(key, entry))),
        },
      ]),
    );
  }
}
