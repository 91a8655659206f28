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
 * whole fleet cost the store. Every agent serves every service, which is more than any fleet should do: the model in
 * docs/scale.md goes on from what is measured here.
 */

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

export const bench: Bench = {
  about: `${AGENTS} agents on three members: an edit, a dead real, the start of a fleet (five minutes)`,
  async run(report) {
    for (const open of [zookeeperServers, etcdServers]) {
      const servers = await open();
      try {
        await measure(servers, report);
      } finally {
        await servers.close();
      }
    }
  },
};

async function measure(servers: Servers, report: Reporter): Promise<void> {
  const { name } = servers;
  const client = need(await openStoreClient(servers.settings, DEPS));
  await writeAll(client, fleet(FLEET));
  report.note(`${name}: ${AGENTS} agents in ${PROCESSES} processes start`);
  const beforeStart = cpu(servers);
  const { crews, readyMs, cpuMs } = await Crews.start(servers.place, SIZE, AGENTS, PROCESSES);
  try {
    const serverCpu = cpu(servers) - beforeStart;
    const figure = plain(report, `fleet/${name}`);
    figure(`${AGENTS} agents connected, with the tree read`, readyMs, 'ms', ['their own processor time', cpuMs]);
    figure("the servers' processor time for that, each agent", (serverCpu / AGENTS) * 1_000, 'ms', null);
    await measureEdits(servers, client, crews, report);
    await measureHealth(servers, crews, report);
  } finally {
    await crews.stop();
    await client.close();
  }
}

async function measureEdits(servers: Servers, client: StoreClient, crews: Crews, report: Reporter): Promise<void> {
  const last: number[] = [];
  const first: number[] = [];
  const own: number[] = [];
  const before = cpu(servers);
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
  const figure = plain(report, `fleet/${servers.name}`);
  const peer = "the editor's own round trip";
  figure('an edit until the last agent has it, p50', median(last), 'ms', [peer, median(own)]);
  figure('an edit until the last agent has it, p99', quantile(last, 0.99), 'ms', [peer, quantile(own, 0.99)]);
  figure('an edit until the first agent has it, p50', median(first), 'ms', [peer, median(own)]);
  figure("the servers' processor time for an edit", ((cpu(servers) - before) / EDITS) * 1_000, 'ms', null);
}

async function measureHealth(servers: Servers, crews: Crews, report: Reporter): Promise<void> {
  const figure = plain(report, `fleet/${servers.name}`);
  const beforeAll = cpu(servers);
  const all = await crews.publish(0, SIZE.services);
  const kilobytes = all.bytes / all.records / 1_000;
  report.note(`${servers.name}: ${all.records} health records, ${Math.round(all.bytes / 1e6)} MB`);
  figure('size of a health record with 100 reals', kilobytes, 'kB', null);
  figure(`${all.records} health records published for the first time`, all.ms, 'ms', null);
  figure('tries that failed meanwhile, because connections broke', all.breaks, 'tries', null);
  figure("the servers' processor time for a record", ((cpu(servers) - beforeAll) / all.records) * 1_000, 'ms', null);
  const flaps: number[] = [];
  const before = cpu(servers);
  for (let round = 1; round <= FLAPS; round++) flaps.push((await crews.publish(round, 1)).ms);
  figure('a real dies: until the last of 200 agents has said so, p50', median(flaps), 'ms', null);
  figure('the same, worst', Math.max(...flaps), 'ms', null);
  figure("the servers' processor time for that", ((cpu(servers) - before) / FLAPS) * 1_000, 'ms', null);
  const resident = servers.pids.map((pid) => residentOf(pid).now);
  figure('memory of a member with all of it', Math.max(...resident), 'MB', ['what was published', all.bytes / 1e6]);
}

function plain(report: Reporter, prefix: string) {
  return (text: string, value: number, unit: string, peer: readonly [name: string, value: number] | null): void => {
    const beside = peer === null ? null : { name: peer[0], value: peer[1] };
    report.figure({ figure: `${prefix}: ${text}`, value, unit, peer: beside, goal: null });
  };
}

/** Of all members so far, in seconds. */
function cpu({ pids }: Servers): number {
  return pids.reduce((sum, pid) => sum + cpuSecondsOf(pid), 0);
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
