import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { eventually } from '../lab/eventually.ts';
import { ZOOKEEPER_JARS } from '../lab/part-table.ts';
import type { LabProcess } from '../lab/process.ts';
import type { NetNode, Topology } from '../lab/topology.ts';
import { JVM_FLAGS } from '../lab/zookeeper.ts';
import { lanAddress } from './records.ts';

export const STORE_KINDS = ['zookeeper', 'etcd', 'directory'] as const;
export type StoreKind = (typeof STORE_KINDS)[number];

/** The demo's store: one server on a host of its own, or a directory that all share. */
export interface DemoStore {
  readonly kind: StoreKind;
  /** The `store` field of an agent's bootstrap file. */
  readonly bootstrap: object;
  /** Where the outsider's tool finds it. */
  readonly where: string;
  /** null where there is no server that could be killed. */
  readonly server: StoreServer | null;
}

const READY_MS = 60_000;

export class StoreServer {
  readonly #node: NetNode;
  readonly #file: string;
  readonly #args: readonly string[];
  readonly #port: number;
  #process: LabProcess | null = null;

  constructor(node: NetNode, file: string, args: readonly string[], port: number) {
    this.#node = node;
    this.#file = file;
    this.#args = args;
    this.#port = port;
  }

  async start(): Promise<void> {
    const child = await this.#node.start(this.#file, this.#args);
    this.#process = child;
    await eventually(
      `${this.#file} listens`,
      async () => {
        if (!child.alive) throw new Error(`it ended:\n${child.tail()}`);
        return (await this.#node.run('ss', ['-Hltn', `sport = :${this.#port}`])) !== '';
      },
      { timeoutMs: READY_MS, everyMs: 200 },
    );
  }

  /** SIGKILL: nothing is written, nothing is said. */
  async kill(): Promise<void> {
    await this.#process?.stop();
    this.#process = null;
  }
}

/** Sets up a store of this kind; a server is not started yet. */
export function makeStore(kind: StoreKind, topology: Topology, folder: string): DemoStore {
  const data = join(folder, 'store');
  mkdirSync(data, { recursive: true });
  const host = lanAddress('store');
  switch (kind) {
    case 'zookeeper': {
      const config = join(data, 'zoo.cfg');
      const lines = ['tickTime=1000', `dataDir=${data}/data`, 'clientPort=2181', `clientPortAddress=${host}`];
      writeFileSync(config, [...lines, 'preAllocSize=1024', 'forceSync=no', ''].join('\n'));
      const classPath = ZOOKEEPER_JARS.map((jar) => topology.parts.path(jar)).join(':');
      const main = 'org.apache.zookeeper.server.quorum.QuorumPeerMain';
      const server = new StoreServer(
        topology.node('store'),
        'java',
        [...JVM_FLAGS, '-cp', classPath, main, config],
        2181,
      );
      const where = `${host}:2181`;
      return { kind, bootstrap: { zookeeper: { servers: [where], sessionTimeout: '6s' } }, where, server };
    }
    case 'etcd': {
      const where = `http://${host}:2379`;
      const peer = `http://${host}:2380`;
      const listen = ['--listen-client-urls', where, '--advertise-client-urls', where, '--listen-peer-urls', peer];
      const cluster = ['--initial-advertise-peer-urls', peer, '--initial-cluster', `demo=${peer}`];
      const args = ['--name', 'demo', '--data-dir', `${data}/data`, '--logger', 'zap', ...listen, ...cluster];
      const server = new StoreServer(topology.node('store'), 'etcd', args, 2379);
      return { kind, bootstrap: { etcd: { endpoints: [where], leaseTtl: '6s' } }, where, server };
    }
    case 'directory':
      return { kind, bootstrap: { directory: { path: data } }, where: data, server: null };
  }
}
