import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest';
import { checkCatalog } from '../../src/checks/decode.ts';
import type { Verdict, VerdictState, WantedCheck } from '../../src/checks/port.ts';
import { createCheckRunner } from '../../src/checks/runner.ts';
import type { ObservedCheckRunner } from '../../src/checks/runner.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { workerEntry } from '../../src/core/worker-entry.ts';
import { RecordingLog } from '../fakes/recording-log.ts';
import { wanted } from '../fakes/scripted-check.ts';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { eventually } from '../lab/eventually.ts';
import { Cleanups } from '../lab/zookeeper-kit.ts';
import { ZookeeperOutsider } from '../lab/zookeeper-outsider.ts';
import { ZookeeperEnsemble } from '../lab/zookeeper.ts';

/* Checks by znode as the agent runs them: in the checking thread, against a real ZooKeeper. */

const OP = { exists: 3, removeWatches: 18, closeSession: -11 } as const;
const REALS = 300;

let ensemble: ZookeeperEnsemble;
let outsider: ZookeeperOutsider;
const cleanups = new Cleanups();

beforeAll(async () => {
  ensemble = cleanups.add(await ZookeeperEnsemble.start());
  outsider = await ZookeeperOutsider.connect(ensemble.member(0).address);
  await outsider.put('/services/web', '');
});
afterAll(async () => {
  outsider.close();
  await cleanups.run();
});

function address(n: number): string {
  return `10.0.${Math.floor(n / 250)}.${(n % 250) + 1}`;
}

function check(n: number, servers: readonly string[], interval: string): WantedCheck {
  const path = '/services/web/{address}:{port}';
  const definition = checkCatalog.decode({ type: 'zookeeper', servers, path, interval, timeout: interval });
  if (!definition.ok) throw new Error(JSON.stringify(definition.error));
  return wanted(`real ${n}`, { address: address(n), definition: definition.value, rise: 1, fall: 2 });
}

/** The checks in their thread, and the states in which the first real was seen, from its first verdict on. */
class Watched {
  readonly log = new RecordingLog();
  readonly runner: ObservedCheckRunner;
  readonly states: VerdictState[] = [];

  constructor() {
    this.runner = createCheckRunner({
      clock: systemClock,
      random: Math.random,
      log: this.log,
      thread: workerEntry('../../src/agent/check-thread', import.meta.url),
    });
    onTestFinished(() => this.runner.close());
    this.runner.onChange(() => {
      const state = this.verdict(0)?.state;
      const isFirst = this.states.length === 0 && state === 'unknown';
      if (state !== undefined && !isFirst && state !== this.states.at(-1)) this.states.push(state);
    });
  }

  verdict(n: number): Verdict | undefined {
    return this.runner.verdicts().get(`real ${n}`);
  }

  becomes(state: VerdictState): Promise<boolean> {
    return eventually(`real 0 is ${state}`, () => this.states.at(-1) === state);
  }
}

/** Reads along what passes between a client and the server, with nothing of our own codec. */
class Wiretap {
  readonly proxy: ChaosProxy;
  /** Sessions that the server has given, '0x…'. */
  readonly sessions: string[] = [];
  readonly #requests = new Map<number, number>();
  #toServer = Buffer.alloc(0);
  #isGreeted = false;

  constructor(proxy: ChaosProxy) {
    this.proxy = proxy;
    proxy.onBytes = (direction, bytes) => {
      if (direction === 'toServer') this.#count(bytes);
      else if (this.#isGreeted) {
        this.#isGreeted = false;
        // ConnectResponse: int length, int protocolVersion, int timeOut, long sessionId.
        this.sessions.push(`0x${bytes.readBigUInt64BE(12).toString(16)}`);
      }
    };
  }

  /** Requests of one kind so far. */
  count(op: number): number {
    return this.#requests.get(op) ?? 0;
  }

  /** RequestHeader: int length, int xid, int type. ConnectRequest: int length, int protocolVersion 0, long 0. */
  #count(bytes: Buffer): void {
    this.#toServer = Buffer.concat([this.#toServer, bytes]);
    while (this.#toServer.length >= 12) {
      const length = 4 + this.#toServer.readInt32BE(0);
      if (this.#toServer.length < length) return;
      const [xid, op] = [this.#toServer.readInt32BE(4), this.#toServer.readInt32BE(8)];
      if (xid === 0) this.#isGreeted = true;
      else this.#requests.set(op, this.count(op) + 1);
      this.#toServer = this.#toServer.subarray(length);
    }
  }
}

describe('reals that register themselves', () => {
  test('are up while their znode is there; quiet ones cost nothing, and the session goes with the last check', async () => {
    const member = ensemble.member(0);
    const tap = new Wiretap(cleanups.add(await ChaosProxy.start(member.address)));
    const checks = Array.from({ length: REALS }, (_, n) => check(n, [tap.proxy.address], '250ms'));
    const process = await ZookeeperOutsider.connect(member.address);
    const path = `/services/web/${address(0)}:80`;
    await process.putEphemeral(path, '');
    const watched = new Watched();
    const { runner } = watched;
    runner.setWanted(checks);
    await eventually('every verdict', () => [...runner.verdicts()].every(([, { state }]) => state !== 'unknown'));
    expect(watched.verdict(0)).toMatchObject({ state: 'up' });
    expect(watched.verdict(0)?.cause).toMatch(new RegExp(`^found ${path} in [0-9.]+ ms$`));
    expect(watched.verdict(1)).toMatchObject({
      state: 'down',
      cause: `there is no znode /services/web/${address(1)}:80`,
    });
    expect(tap.count(OP.exists)).toBe(REALS);

    // Ten probes of each of them.
    const newest = (): number => Math.max(...[...runner.verdicts()].map(([, { at }]) => at ?? 0));
    const before = newest();
    await eventually('probes of two and a half seconds', () => newest() > before + 2_500);
    expect(tap.count(OP.exists)).toBe(REALS);

    process.close();
    await watched.becomes('down');
    expect(watched.verdict(0)?.cause).toBe(`there is no znode ${path}`);
    // In one step: `put` would be two events.
    await outsider.putEphemeral(path, '');
    await watched.becomes('up');
    // A machine that stands still between two of them knows nothing meanwhile.
    expect(watched.states.filter((state) => state !== 'unknown')).toEqual(['up', 'down', 'up']);
    // Once after each event.
    expect(tap.count(OP.exists)).toBe(REALS + 2);

    runner.setWanted(checks.slice(0, 2));
    await eventually('the watches of the others are taken back', () => tap.count(OP.removeWatches) === REALS - 2);
    const [session = 'none'] = tap.sessions;
    // One look may miss a session that is just given more time.
    await eventually('the server holds the session', () => member.holds(session));
    await eventually('two are left', async () => (await member.command('wchs')).includes('watching 2 paths\n'));
    runner.setWanted([]);
    await eventually('the session is closed', () => tap.count(OP.closeSession) === 1 && tap.proxy.open === 0);
    expect(await member.holds(session)).toBe(false);
    expect(tap.sessions).toHaveLength(1);

    runner.setWanted(checks.slice(0, 1));
    await eventually('up by another session', () => watched.verdict(0)?.state === 'up');
    await runner.close();
    expect(tap.count(OP.closeSession)).toBe(2);
    expect(await member.holds(tap.sessions[1] ?? 'none')).toBe(false);
    expect(watched.log.about('a probe broke')).toEqual([]);
    await outsider.remove(path);
  });

  test('are not down when the ensemble is, and are asked for anew when it is back', async () => {
    const member = ensemble.member(0);
    await outsider.put(`/services/web/${address(0)}:80`, '');
    const watched = new Watched();
    watched.runner.setWanted([0, 1].map((n) => check(n, ensemble.servers, '500ms')));
    await watched.becomes('up');
    outsider.close();
    await member.kill();
    await watched.becomes('unknown');
    expect(watched.verdict(0)?.cause).toMatch(
      /^not run: no session with ZooKeeper: .*(closed the connection|ECONNREFUSED)/,
    );
    expect(watched.log.about('cannot be asked for')).toHaveLength(1);
    member.start();
    await member.ready();
    await watched.becomes('up');
    expect(watched.states).toEqual(['up', 'unknown', 'up']);
    await eventually('the other is answered, too', () => watched.verdict(1)?.state === 'down');
    // The watches of the new connection stand.
    outsider = await ZookeeperOutsider.connect(member.address);
    await outsider.remove(`/services/web/${address(0)}:80`);
    await watched.becomes('down');
  });
});
