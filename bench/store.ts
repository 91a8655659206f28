import { Etcd3 } from 'etcd3';
import zookeeper from 'node-zookeeper-client';
import { desiredState } from '../src/agent/policy/desired.ts';
import { checkCatalog } from '../src/checks/decode.ts';
import { silentLog } from '../src/core/ports.ts';
import type { Result } from '../src/core/result.ts';
import { ok } from '../src/core/result.ts';
import { systemClock } from '../src/core/system-clock.ts';
import { RecordDecoder } from '../src/model/decode.ts';
import type { StoreSettings } from '../src/sources/open-source.ts';
import { openStoreClient } from '../src/sources/open-source.ts';
import type { Source, StoreClient, WriteOp } from '../src/sources/source.ts';
import { EtcdCluster } from '../test/lab/etcd.ts';
import { ZookeeperEnsemble } from '../test/lab/zookeeper.ts';
import { collect } from './kit/collect.ts';
import { median, quantile, timed } from './kit/numbers.ts';
import { TEN_THOUSAND, fleet, realPath, realRecord } from './kit/records.ts';
import { below } from './kit/report.ts';
import type { Bench, Reporter } from './kit/report.ts';
import { connect, measurePublishing, measureReconnects } from './kit/store-publishing.ts';

const ROOT = '/vipkeeper';
const ROUNDS = 21;
const PEER_ROUNDS = 5;
const EDITS = 200;
const BATCH = 100;
const FLEET = { ...TEN_THOUSAND, port: 443, network: '10.0' };
const DEPS = { clock: systemClock, random: Math.random, log: silentLog };

/** One real store, and somebody else's client for it. */
interface Contender {
  readonly name: string;
  /** As an agent has them. */
  readonly settings: StoreSettings;
  /** The same, but each snapshot is a reading of the whole tree, which an agent makes once: then it reads changes. */
  readonly rereading: StoreSettings;
  readonly goalMs: number;
  /** null = for the record. */
  readonly cpuGoalMs: number | null;
  readonly peerName: string;
  /** Reads every value of the tree, the way that client's users do. */
  peerRead(paths: readonly string[]): Promise<void>;
  /** Sets one value; resolves when the store has answered. */
  peerSet(path: string, text: string): Promise<void>;
  close(): Promise<void>;
}

const CONTENDERS = { zookeeper: zookeeperContender, etcd: etcdContender };

export const bench: Bench = {
  about: 'from ZooKeeper and etcd to a decoded desired state, from an edit to a poke, health out, reconnects',
  stores: Object.keys(CONTENDERS),
  async run(report, stores) {
    for (const [name, open] of Object.entries(CONTENDERS)) {
      if (!stores.includes(name)) continue;
      const contender = await open();
      try {
        await measure(contender, report);
        const reals = [...fleet(FLEET).keys()].filter((path) => path.includes('/reals/'));
        const existing = reals.map((path) => `${ROOT}/${path}`);
        await measurePublishing(contender, existing, report);
        await measureReconnects(contender, report);
      } finally {
        await contender.close();
      }
    }
  },
};

async function measure(contender: Contender, report: Reporter): Promise<void> {
  const records = fleet(FLEET);
  const client = need(await openStoreClient(contender.settings, DEPS));
  await writeAll(client, records);
  await client.close();
  const source = await connect(contender.rereading);
  report.note(`${contender.name}: ${records.size} records written`);
  const whole: number[] = [];
  const cpu: number[] = [];
  const peer: number[] = [];
  const paths = [...records.keys()].map((path) => `${ROOT}/${path}`);
  for (let round = 0; round < ROUNDS; round++) {
    // A decoder of its own for each round: nothing is remembered from the one before.
    const spent = await timed(() => readDesired(source, new RecordDecoder(checkCatalog), records.size));
    whole.push(spent.wallMs);
    cpu.push(spent.cpuMs);
  }
  // After all of ours: a peer's reading leaves garbage, and the one who comes next collects it.
  for (let round = 0; round < PEER_ROUNDS; round++) peer.push((await timed(() => contender.peerRead(paths))).wallMs);
  const { name, peerName, goalMs, cpuGoalMs } = contender;
  const cpuGoal = cpuGoalMs === null ? null : below(cpuGoalMs);
  const about = `store/${name}: ${records.size} records to desired state`;
  const peerMedian = { name: `${peerName}, values only`, value: median(peer) };
  report.figure({ figure: `${about}, wall`, value: median(whole), unit: 'ms', peer: peerMedian, goal: below(goalMs) });
  report.figure({ figure: `${about}, cpu`, value: median(cpu), unit: 'ms', peer: null, goal: cpuGoal });
  report.figure({ figure: `${about}, first read`, value: whole[0] ?? NaN, unit: 'ms', peer: null, goal: null });
  await source.close({ keepEphemeral: false });
  await measurePokes(contender, report);
}

async function readDesired(source: Source, decoder: RecordDecoder, expected: number): Promise<void> {
  const snapshot = need(await source.snapshot());
  const decoded = decoder.decode(snapshot.records, new Map());
  const { desired, problems } = desiredState(decoded.records, 'lb1', null, decoded.revision);
  const services = Object.keys(desired.services).length;
  if (services !== FLEET.services || problems.length > 0 || snapshot.records.size < expected) {
    throw new Error(`not the fleet that was written: ${services} services, ${problems.length} problems`);
  }
}

/** From the moment at which the other client sends its edit to the poke, beside that client's own round trip. */
async function measurePokes(contender: Contender, report: Reporter): Promise<void> {
  const source = await connect(contender.settings);
  need(await source.snapshot());
  collect();
  const pokes: number[] = [];
  const answers: number[] = [];
  const behind: number[] = [];
  for (let edit = 0; edit < EDITS; edit++) {
    const text = JSON.stringify(realRecord(FLEET, edit % FLEET.services, 0, 10 + edit));
    const path = `${ROOT}/${realPath(edit % FLEET.services, 0)}`;
    const start = performance.now();
    const poked = new Promise<number>((resolve) => {
      const unsubscribe = source.onChange(() => {
        unsubscribe();
        resolve(performance.now() - start);
      });
    });
    await contender.peerSet(path, text);
    const answer = performance.now() - start;
    const poke = await poked;
    answers.push(answer);
    pokes.push(poke);
    behind.push(poke - answer);
    // What this edit still sends must not be taken for the next one's poke.
    need(await source.snapshot());
  }
  await source.close({ keepEphemeral: false });
  const figure = (share: number, label: string, goal: ReturnType<typeof below> | null): void =>
    report.figure({
      figure: `store/${contender.name}: edit to poke, ${label}`,
      value: quantile(pokes, share),
      unit: 'ms',
      peer: { name: "the editor's own round trip", value: quantile(answers, share) },
      goal,
    });
  figure(0.5, 'p50', null);
  figure(0.99, 'p99', below(10));
  // Both wait for the same write of the store to its disk; what is left is ours, and below 0 where the poke came first.
  report.figure({
    figure: `store/${contender.name}: edit to poke, behind the editor's own answer, p99`,
    value: quantile(behind, 0.99),
    unit: 'ms',
    peer: null,
    goal: null,
  });
}

async function writeAll(client: StoreClient, records: ReadonlyMap<string, string>): Promise<void> {
  const ops = [...records].map(([path, text]): WriteOp => ({ kind: 'put', path, bytes: Buffer.from(text) }));
  for (let at = 0; at < ops.length; at += BATCH) need(await client.write(ops.slice(at, at + BATCH)));
}

function need<T>(result: Result<T, Error>): T {
  if (result.ok) return result.value;
  throw result.error;
}

async function zookeeperContender(): Promise<Contender> {
  const ensemble = await ZookeeperEnsemble.start();
  const client = zookeeper.createClient(ensemble.servers.join(','));
  const connected = new Promise<void>((resolve) => {
    client.once('connected', () => resolve());
  });
  client.connect();
  await connected;
  const read = (path: string): Promise<void> =>
    new Promise((resolve, reject) => {
      client.getData(path, (error) => {
        if (error instanceof Error) reject(error);
        else resolve();
      });
    });
  const settings = { kind: 'zookeeper', servers: ensemble.servers, root: ROOT, auth: () => ok(null) } as const;
  return {
    name: 'zookeeper',
    settings,
    rereading: { ...settings, rereadEveryMs: 0 },
    goalMs: 150,
    cpuGoalMs: 100,
    peerName: 'node-zookeeper-client, pipelined',
    async peerRead(paths) {
      await Promise.all(paths.map(read));
    },
    peerSet: (path, text) =>
      new Promise((resolve, reject) => {
        client.setData(path, Buffer.from(text), (error) => {
          if (error instanceof Error) reject(error);
          else resolve();
        });
      }),
    async close() {
      client.close();
      await ensemble.close();
    },
  };
}

async function etcdContender(): Promise<Contender> {
  const cluster = await EtcdCluster.start();
  const client = new Etcd3({ hosts: cluster.endpoints, grpcOptions: { 'grpc.max_receive_message_length': -1 } });
  const settings = { kind: 'etcd', endpoints: cluster.endpoints, root: ROOT, leaseTtlMs: 10_000 } as const;
  return {
    name: 'etcd',
    settings,
    rereading: { ...settings, rereadEveryMs: 0 },
    goalMs: 250,
    cpuGoalMs: null,
    peerName: 'etcd3 getAll()',
    async peerRead() {
      await client.getAll().prefix(`${ROOT}/config/`).buffers();
    },
    async peerSet(path, text) {
      await client.put(path).value(text);
    },
    async close() {
      client.close();
      await cluster.close();
    },
  };
}
