import type { CodedError } from '../../src/core/errors.ts';
import { silentLog } from '../../src/core/ports.ts';
import { ok } from '../../src/core/result.ts';
import type { Result } from '../../src/core/result.ts';
import { ServerNames } from '../../src/sources/server-names.ts';
import { Session } from '../../src/sources/zookeeper/session.ts';
import { ManualClock } from './manual-clock.ts';
import { ScriptedZookeeper } from './scripted-zookeeper.ts';

export interface SessionBenchOptions {
  readonly servers?: number;
  readonly maxCalls?: number;
  readonly maxRequestBytes?: number;
  readonly allowReadOnly?: boolean;
  readonly auth?: () => Result<string | null, CodedError>;
}

/** A started session whose servers and clock are the test's: sessions of 9 s, connect deadlines of 2 s. */
export class SessionBench {
  readonly clock = new ManualClock();
  readonly store = new ScriptedZookeeper();
  readonly session: Session;
  readonly changes: string[] = [];
  readonly watched: string[] = [];

  constructor(options: SessionBenchOptions = {}) {
    const { clock, store } = this;
    const servers = Array.from({ length: options.servers ?? 2 }, (_, n) => ({ host: `10.0.0.${n + 1}`, port: 2181 }));
    const lookup = (): Promise<never> => Promise.reject(new Error('there are no names'));
    // The largest random number reverses the order of the servers: the second comes first.
    const names = new ServerNames(servers, { clock, random: () => 0.999, lookup });
    this.session = new Session(
      {
        sessionTimeoutMs: 9_000,
        connectTimeoutMs: 2_000,
        closeTimeoutMs: 1_000,
        allowReadOnly: options.allowReadOnly ?? false,
        maxReplyBytes: 1_000,
        maxRequestBytes: options.maxRequestBytes ?? 500,
        maxOutstanding: { maxCalls: options.maxCalls ?? 4, maxBytes: 100_000 },
        backoff: { firstMs: 100, maxMs: 400, factor: 2, jitter: 0 },
        auth: options.auth ?? (() => ok(null)),
      },
      { clock, random: () => 0, log: silentLog, dial: store.dial, names },
    );
    this.session.listen({
      onChange: (change) => this.changes.push(change),
      onWatch: ({ type, path }) => this.watched.push(`${type} ${path}`),
    });
    this.session.start();
  }
}
