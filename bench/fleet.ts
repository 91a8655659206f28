import { silentLog } from '../src/core/ports.ts';
import { ok } from '../src/core/result.ts';
import { systemClock } from '../src/core/system-clock.ts';
import { openStoreClient } from '../src/sources/open-source.ts';
import type { StoreSettings } from '../src/sources/open-source.ts';
import type { StoreClient, WriteOp } from '../src/sources/source.ts';
import { EtcdCluster } from '../test/lab/etcd.ts';
import { ZookeeperEnsemble } from '../test/lab/zookeeper.ts';
import { cpuSecondsOf, residentOf } from './kit/agent-process.ts';
import { Crews } from './kit/fleet/crews.ts';
import type { CrewOrder } from './kit/fleet/messages.ts';
import { median, quantile } from './kit/numbers.ts';
import { TEN_THOUSAND, fleet, realPath, realRecord } from './kit/records.ts';
import type { Bench, Reporter } from './kit/report.ts';

/*
 * Two hundred agents on three real members, all on this machine: what one edit, one dead real and one start of the
 * whole fleet cost the store. Every agent serves every service, which is more than any fleet should do. A fifth of
 * the fleet is measured first, and what docs/scale.md makes of it stands beside the whole as its peer: the model there
 * is only worth something if it is right here.
 */

const FIFTH = 40;
const AGENTS = 200;
const PROCESSES = 4;
const EDITS = 30;
const FLAPS = 10;
const BATCH = 100;
/** Everything runs on two processors here: what is slow is not to be taken for dead. */
const SESSION_MS = 30_000;
const ROOT = '/vipkeeper';
const SIZE = TEN_THOUSAND;
const FLEET = { ...SIZE, port: 443, network: '10.0' };
const DEPS = { clock: systemClock, random: Math.random, log: silentLog };

/** Three members of a store. */
interface Servers {
  readonly name: string;
  readonly place: CrewOrder['settings'];
  readonly settings: StoreSettings;
  readonly pids: readonly number[];
  close(): Promise<void>;
}

/** What the servers spend together, in milliseconds of processor time. */
interface Costs {
  /** For one agent that connects and reads the tree. */
  readonly start: number;
  /** For one edit, on behalf of one agent. */
  readonly edit: number;
  /** For one health record of 100 reals. */
  readonly record: number;
}

const SERVERS = { zookeeper: zookeeperServers, etcd: etcdServers };

export const bench: Bench = {
  about: `${AGENTS} agents on three members: an edit, a dead real, the start of a fleet (ten minutes)`,
  stores: Object.keys(SERVERS),
  async run(report, stores) {
    for (const [name, open] of Object.entries(SERVERS)) {
      if (!stores.includes(name)) continue;
      const model = await withServers(open, (servers) => measure(servers, report, FIFTH, null));
      await withServers(open, (servers) => measure(servers, report, AGENTS, model));
    }
  },
};

async function withServers<T>(open: () => Promise<Servers>, use: (servers: Servers) => Promise<T>): Promise<T> {
  const servers = await open();
  try {
    return await use(servers);
  } finally {
    await servers.close();
  }
}

/** @param model what a smaller fleet cost, to be held against this one */
async function measure(servers: Servers, report: Reporter, agents: number, model: Costs | null): Promise<Costs> {
  const { name } = servers;
  const client = need(await openStoreClient(servers.settings, DEPS));
  await writeAll(client, fleet(FLEET));
  report.note(`${name}: ${agents} agents in ${PROCESSES} processes start`);
  const before = cpuMs(servers);
  const { crews, readyMs, cpuMs: ownMs } = await Crews.start(servers.place, SIZE, agents, PROCESSES);
  try {
    const figure = plain(report, `fleet/${name}, ${agents} agents`);
    const start = (cpuMs(servers) - before) / agents;
    figure('all connected, with the tree read', readyMs, 'ms', ['their own processor time', ownMs]);
    figure("servers' processor time for that, each agent", start, 'ms', modelled(model?.start));
    const edit = (await measureEdits(servers, client, crews, figure)) / agents;
    figure("servers' processor time for an edit, each agent", edit, 'ms', modelled(model?.edit));
    const record = await measureHealth(servers, crews, figure, report);
    figure("servers' processor time for a health record", record, 'ms', modelled(model?.record));
    return { start, edit, record };
  } finally {
    await crews.stop();
    await client.close();
  }
}

/** @returns what the servers spend on one edit */
async function measureEdits(servers: Servers, client: StoreClient, crews: Crews, figure: Plain): Promise<number> {
  const last: number[] = [];
  const first: number[] = [];
  const own: number[] = [];
  const before = cpuMs(servers);
  for (let edit = 0; edit < EDITS; edit++) {
    const path = realPath(edit % SIZE.services, 0);
    const text = JSON.stringify(realRecord(FLEET, edit % SIZE.services, 0, 20 + edit));
    const op: WriteOp = { kind: 'put', path, bytes: Buffer.from(text) };
    const times = await crews.edit(path, text, async () => {
      need(await client.write([op]));
    });
    last.push(times.last);
    first.push(times.first);
    own.push(times.own);
  }
  const spent = (cpuMs(servers) - before) / EDITS;
  const peer = "the editor's own round trip";
  figure('an edit until the last agent has it, p50', median(last), 'ms', [peer, median(own)]);
  figure('an edit until the last agent has it, p99', quantile(last, 0.99), 'ms', [peer, quantile(own, 0.99)]);
  figure('an edit until the first agent has it, p50', median(first), 'ms', [peer, median(own)]);
  return spent;
}

/** @returns what the servers spend on one record */
async function measureHealth(servers: Servers, crews: Crews, figure: Plain, report: Reporter): Promise<number> {
  const before = cpuMs(servers);
  const all = await crews.publish(0, SIZE.services);
  const spent = (cpuMs(servers) - before) / all.records;
  report.note(`${servers.name}: ${all.records} health records, ${Math.round(all.bytes / 1e6)} MB`);
  figure('size of a health record with 100 reals', all.bytes / all.records / 1_000, 'kB', null);
  figure('all health published for the first time', all.ms, 'ms', null);
  figure('tries that failed meanwhile, because connections broke', all.breaks, 'tries', null);
  const flaps: number[] = [];
  for (let round = 1; round <= FLAPS; round++) flaps.push((await crews.publish(round, 1)).ms);
  figure('a real dies: until the last agent has said so, p50', median(flaps), 'ms', null);
  figure('a real dies: until the last agent has said so, worst', Math.max(...flaps), 'ms', null);
  const resident = servers.pids.map((pid) => residentOf(pid).now);
  figure('memory of a member with all of it', Math.max(...resident), 'MB', ['what was published', all.bytes / 1e6]);
  return spent;
}

function modelled(value: number | undefined): readonly [string, number] | null {
  return value === undefined ? null : [`as with ${FIFTH} agents`, value];
}

type Plain = ReturnType<typeof plain>;

function plain(report: Reporter, prefix: string) {
  return (text: string, value: number, unit: string, peer: readonly [name: string, value: number] | null): void => {
    const beside = peer === null ? null : { name: peer[0], value: peer[1] };
    report.figure({ figure: `${prefix}: ${text}`, value, unit, peer: beside, goal: null });
  };
}

/** Of all members so far. */
function cpuMs({ pids }: Servers): number {
  return pids.reduce((sum, pid) => sum + cpuSecondsOf(pid) * 1_000, 0);
}

async function writeAll(client: StoreClient, records: ReadonlyMap<string, string>): Promise<void> {
  const ops = [...records].map(([path, text]): WriteOp => ({ kind: 'put', path, bytes: Buffer.from(text) }));
  for (let at = 0; at < ops.length; at += BATCH) need(await client.write(ops.slice(at, at + BATCH)));
}

function need<T>(result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: Error }): T {
  if (result.ok) return result.value;
  throw result.error;
}

async function zookeeperServers(): Promise<Servers> {
  // The lab's small heap holds the configuration, not what a fleet says.
  const ensemble = await ZookeeperEnsemble.start({ members: 3, tickMs: 2_000, properties: ['-Xmx2000m'] });
  const place = { kind: 'zookeeper', servers: ensemble.servers, root: ROOT, sessionTimeoutMs: SESSION_MS } as const;
  return {
    name: 'zookeeper',
    place,
    settings: { ...place, auth: () => ok(null) },
    pids: ensemble.members.map(({ pid }) => pid),
    close: () => ensemble.close(),
  };
}

async function etcdServers(): Promise<Servers> {
  const cluster = await EtcdCluster.start({ members: 3, flags: ['--quota-backend-bytes', '8000000000'] });
  const place = { kind: 'etcd', endpoints: cluster.endpoints, root: ROOT, leaseTtlMs: SESSION_MS } as const;
  return {
    name: 'etcd',
    place,
    settings: place,
    pids: cluster.members.map(({ pid }) => pid),
    close: () => cluster.close(),
  };
}
