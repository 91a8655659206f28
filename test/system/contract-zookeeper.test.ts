import zookeeper from 'node-zookeeper-client';
import type { Client, Exception } from 'node-zookeeper-client';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import type { Source } from '../../src/sources/source.ts';
import { createZookeeperClient } from '../../src/sources/zookeeper/zookeeper-client.ts';
import { createZookeeperSource } from '../../src/sources/zookeeper/zookeeper-source.ts';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { eventually } from '../lab/eventually.ts';
import { ZookeeperEnsemble } from '../lab/zookeeper.ts';
import { describeSourceContract } from './source-contract.ts';
import type { Outsider } from './contract-store.ts';

const SESSION_MS = 1_500;
const DEPS = { clock: systemClock, random: Math.random, log: silentLog };

describeSourceContract('ZooKeeper', { transactions: true }, async () => {
  const ensemble = await ZookeeperEnsemble.start({ tickMs: 250 });
  const member = ensemble.member(0);
  const outside = zookeeper.createClient(member.address);
  outside.connect();
  const proxies: { readonly proxy: ChaosProxy; readonly source: Source }[] = [];
  let stores = 0;
  return {
    sessionTimeoutMs: SESSION_MS,
    fresh: async () => {
      stores += 1;
      const root = `/vipkeeper-${stores}`;
      // Every source comes through a proxy, because nobody but its own connection can end a session.
      const spare = await Promise.all([1, 2, 3].map(() => ChaosProxy.start(member.address)));
      const outsider = new NodeZookeeperClient(outside, root);
      return {
        outsider,
        putBoth: (first, second, text) => outsider.putBoth(first, second, text),
        source: () => {
          const proxy = spare.pop();
          if (proxy === undefined) throw new Error('a test of the contract uses three sources at most');
          const options = { servers: [proxy.address], root, sessionTimeoutMs: SESSION_MS };
          const source = orThrow(createZookeeperSource(options, DEPS));
          proxies.push({ proxy, source });
          return source;
        },
        client: () => orThrow(createZookeeperClient({ servers: [member.address], root }, DEPS)),
        endSession: async (session: string) => {
          let victim: ChaosProxy | undefined;
          await eventually('the server gave the session up', async () => {
            // On a busy machine the source may be between two connections of this session.
            victim ??= proxies.find(({ source }) => {
              const state = source.state();
              return state.kind === 'connected' && state.session === session;
            })?.proxy;
            victim?.stall();
            return !(await member.holds(session));
          });
          victim?.resume();
        },
      };
    },
    close: async () => {
      outside.close();
      await Promise.all(proxies.map(({ proxy }) => proxy.close()));
      await ensemble.close();
    },
  };
});

function orThrow<T>(result: { ok: true; value: T } | { ok: false; error: Error }): T {
  if (!result.ok) throw result.error;
  return result.value;
}

/** node-zookeeper-client, which shares no code with the session under test. */
class NodeZookeeperClient implements Outsider {
  readonly #client: Client;
  readonly #root: string;

  constructor(client: Client, root: string) {
    this.#client = client;
    this.#root = root;
  }

  async put(path: string, text: string): Promise<void> {
    await this.makeFolder(path);
    await call((done) => this.#client.setData(`${this.#root}/${path}`, Buffer.from(text), done));
  }

  async makeFolder(path: string): Promise<void> {
    const node = `${this.#root}/${path}`;
    await call((done) => this.#client.mkdirp(node, done));
  }

  async remove(path: string): Promise<void> {
    await call((done) => this.#client.remove(`${this.#root}/${path}`, -1, done));
  }

  async removeTree(path: string): Promise<void> {
    const children = (await call<string[]>((done) => this.#client.getChildren(`${this.#root}/${path}`, done))) ?? [];
    for (const child of children) await this.removeTree(`${path}/${child}`);
    await this.remove(path);
  }

  async get(path: string): Promise<string | null> {
    const node = `${this.#root}/${path}`;
    try {
      const data = await call<Buffer>((done) => this.#client.getData(node, done));
      return data?.toString() ?? '';
    } catch (error) {
      if (error instanceof zookeeper.Exception && error.getCode() === zookeeper.Exception.NO_NODE) return null;
      throw error;
    }
  }

  async putBoth(first: string, second: string, text: string): Promise<void> {
    await this.makeFolder(first);
    await this.makeFolder(second);
    await call((done) => {
      const transaction = this.#client.transaction();
      for (const path of [first, second]) transaction.setData(`${this.#root}/${path}`, Buffer.from(text), -1);
      transaction.commit(done);
    });
  }
}

type Failure = Error | Exception | null;

function call<T = unknown>(start: (done: (error: Failure, value?: T) => void) => void): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error === null || !(error instanceof Error)) resolve(value);
      else reject(error);
    });
  });
}
