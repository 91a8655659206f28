import type { CodedError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/ports.ts';
import type { Result } from '../../src/core/result.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import type { SessionState, Source, StoreClient, StoreSnapshot } from '../../src/sources/source.ts';
import type { ZookeeperOptions } from '../../src/sources/zookeeper/options.ts';
import { createZookeeperClient } from '../../src/sources/zookeeper/zookeeper-client.ts';
import { createZookeeperSource } from '../../src/sources/zookeeper/zookeeper-source.ts';
import { eventually } from './eventually.ts';

export const ROOT = '/vipkeeper';
/** Long enough for a busy machine's garbage collections, short enough for a test to wait it out. */
export const SESSION_MS = 4_000;

const DEPS = { clock: systemClock, random: Math.random, log: silentLog };

export function orThrow<T>(result: Result<T, CodedError>): T {
  if (!result.ok) throw result.error;
  return result.value;
}

/** A source with what a test asks of it again and again. */
export class WatchedSource {
  readonly source: Source;
  pokes = 0;
  readonly states: SessionState['kind'][] = [];

  constructor(servers: readonly string[], options: Partial<ZookeeperOptions> = {}) {
    this.source = orThrow(
      createZookeeperSource({ servers, root: ROOT, sessionTimeoutMs: SESSION_MS, ...options }, DEPS),
    );
    this.source.onChange(() => (this.pokes += 1));
    this.source.onState(() => this.states.push(this.source.state().kind));
    this.source.start();
  }

  get isConnected(): boolean {
    return this.source.state().kind === 'connected';
  }

  /** The session's identity, once there is one. */
  session(): Promise<string> {
    return eventually('a session', () => {
      const state = this.source.state();
      return state.kind === 'connected' ? state.session : null;
    });
  }

  async server(): Promise<string> {
    await this.session();
    const state = this.source.state();
    return state.kind === 'connected' ? state.server : '';
  }

  snapshot(): Promise<StoreSnapshot> {
    return eventually('a snapshot', async () => {
      const read = await this.source.snapshot();
      if (!read.ok) throw read.error;
      return read.value;
    });
  }

  async text(path: string): Promise<string | null> {
    const record = (await this.snapshot()).records.get(path);
    return record === undefined ? null : Buffer.from(record.bytes).toString();
  }

  publish(records: Record<string, string>) {
    return this.source.publish(new Map(Object.entries(records).map(([path, text]) => [path, Buffer.from(text)])));
  }

  /** Does something, and resolves with the milliseconds until the next poke after it began. */
  async untilPoked(what: () => Promise<unknown>, timeoutMs = 5_000): Promise<number> {
    const before = this.pokes;
    const since = performance.now();
    await what();
    await eventually('a poke', () => this.pokes > before, { timeoutMs, everyMs: 1 });
    return performance.now() - since;
  }
}

export function openClient(servers: readonly string[], options: Partial<ZookeeperOptions> = {}): StoreClient {
  return orThrow(createZookeeperClient({ servers, root: ROOT, sessionTimeoutMs: 10_000, ...options }, DEPS));
}

/** Runs in reverse order when the test file is done. */
export class Cleanups {
  readonly #all: (() => unknown)[] = [];

  add<T extends { close(options: { keepEphemeral: boolean }): unknown }>(closable: T): T {
    this.#all.push(() => closable.close({ keepEphemeral: false }));
    return closable;
  }

  source(servers: readonly string[], options: Partial<ZookeeperOptions> = {}): WatchedSource {
    const watched = new WatchedSource(servers, options);
    this.add(watched.source);
    return watched;
  }

  async run(): Promise<void> {
    for (const cleanup of this.#all.splice(0).reverse()) await cleanup();
  }
}
