import { describe, expect, it } from 'vitest';
import { checkTypes } from '../../../src/checks/catalog.ts';
import { checkCatalog } from '../../../src/checks/decode.ts';
import type { FromShard, JudgeSpec, Notice } from '../../../src/checks/protocol.ts';
import { Shard } from '../../../src/checks/shard.ts';
import type { OpenZnodes, ZnodeAnswer } from '../../../src/checks/znodes.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const SERVERS = ['zk1:2181', 'zk2:2181'];
const JUDGE: JudgeSpec = {
  id: 1,
  probe: 1,
  definition: 1,
  address: '10.0.0.1' as IpAddress,
  port: 8080,
  rise: 2,
  fall: 2,
  seed: null,
};

/** A shard that checks by znodes, whose answers are the test's. */
class Bench {
  readonly clock = new ManualClock();
  readonly messages: FromShard[] = [];
  /** What was asked for, in order: "watch PATH", "ask PATH", "release PATH". */
  readonly calls: string[] = [];
  answer: ZnodeAnswer | Promise<ZnodeAnswer> = { kind: 'exists' };
  readonly shard: Shard;

  constructor(open?: OpenZnodes) {
    const watch = (servers: readonly string[], path: string) => {
      expect(servers).toEqual(SERVERS);
      this.calls.push(`watch ${path}`);
      return {
        ask: () => {
          this.calls.push(`ask ${path}`);
          return this.answer;
        },
        release: () => void this.calls.push(`release ${path}`),
      };
    };
    this.shard = new Shard({
      clock: this.clock,
      random: () => 0.5,
      types: checkTypes,
      znodes: open ?? (() => Promise.resolve({ watch })),
      send: (message) => this.messages.push(message),
    });
  }

  define(path: string, id = 1): void {
    const definition = checkCatalog.decode({ type: 'zookeeper', servers: SERVERS, path, jitter: 0 });
    if (!definition.ok) throw new Error(JSON.stringify(definition.error));
    this.shard.receive({ kind: 'define', id, definition: definition.value });
  }

  add(...judges: readonly JudgeSpec[]): void {
    this.shard.receive({ kind: 'add', judges });
  }

  notice(): Notice | undefined {
    return this.messages.flatMap((message) => (message.kind === 'notices' ? message.notices : [])).at(-1);
  }

  /** Time for a probe and what is told of it. */
  async probed(): Promise<Notice | undefined> {
    await this.clock.advanceAsync(2_100);
    return this.notice();
  }
}

describe('a check by znode', () => {
  it('is up while it is there, and down with its path once it is not', async () => {
    const bench = new Bench();
    bench.define('/services/web/{address}:{port}');
    bench.add(JUDGE);
    expect(await bench.probed()).toMatchObject({ state: 'up', cause: 'found /services/web/10.0.0.1:8080 in 0.1 ms' });
    bench.answer = { kind: 'absent' };
    await bench.probed();
    await bench.probed();
    expect(bench.notice()).toMatchObject({
      state: 'down',
      cause: 'there is no znode /services/web/10.0.0.1:8080',
    });
  });

  it('never says down of a real whose ensemble cannot be asked', async () => {
    const bench = new Bench();
    bench.define('/web/{address}');
    bench.add(JUDGE);
    await bench.probed();
    bench.answer = { kind: 'unknown', cause: 'no session with ZooKeeper' };
    const states = new Set<string | undefined>();
    for (let probe = 0; probe < 6; probe++) states.add((await bench.probed())?.state);
    expect([...states]).toEqual(['up', 'unknown']);
    expect(bench.notice()?.cause).toBe('not run: no session with ZooKeeper');
  });

  it('that hears nothing in time was not run', async () => {
    const bench = new Bench();
    bench.answer = new Promise(() => undefined);
    bench.define('/web/{port}');
    bench.add(JUDGE);
    await bench.clock.advanceAsync(900);
    expect(bench.notice()).toMatchObject({ state: 'unknown', at: null });
    const cause = 'not run: no answer from ZooKeeper within 1000 ms';
    expect(await bench.probed()).toMatchObject({ state: 'unknown', cause, at: expect.any(Number) as number });
  });

  it('that hears in time does not wait on', async () => {
    const bench = new Bench();
    bench.define('/web/{port}');
    bench.add(JUDGE);
    await bench.probed();
    const before = bench.clock.pendingTimers;
    bench.answer = Promise.resolve({ kind: 'exists' });
    const probes = bench.calls.length;
    while (bench.calls.length === probes) await bench.clock.advanceAsync(10);
    expect(bench.clock.pendingTimers).toBe(before);
  });

  it('writes the address of an IPv6 real without brackets, wherever it is wanted', async () => {
    const bench = new Bench();
    bench.define('/{address}/{address}/{port}');
    bench.add({ ...JUDGE, address: '2001:db8::1' as IpAddress });
    await bench.probed();
    expect(bench.calls[0]).toBe('watch /2001:db8::1/2001:db8::1/8080');
  });

  it('holds a znode from its first probe to its last', async () => {
    const bench = new Bench();
    bench.define('/web/{address}');
    const other = { ...JUDGE, id: 2 };
    bench.add(JUDGE, other, { ...JUDGE, id: 3, probe: 3, address: '10.0.0.3' as IpAddress });
    await bench.probed();
    expect(bench.calls.slice(0, 2)).toEqual(['watch /web/10.0.0.1', 'watch /web/10.0.0.3']);
    bench.shard.receive({ kind: 'drop', judges: [JUDGE.id] });
    await bench.probed();
    expect(bench.calls).not.toContain('release /web/10.0.0.1');
    bench.shard.receive({ kind: 'drop', judges: [other.id] });
    const asked = bench.calls.filter((call) => call === 'ask /web/10.0.0.1').length;
    await bench.probed();
    expect(bench.calls.filter((call) => call === 'ask /web/10.0.0.1')).toHaveLength(asked);
    expect(bench.calls.filter((call) => call.startsWith('release'))).toEqual(['release /web/10.0.0.1']);
    bench.shard.stop();
    await bench.probed();
    expect(bench.calls.at(-1)).toBe('release /web/10.0.0.3');
  });

  it('that is edited takes over before the one before it lets go', async () => {
    const bench = new Bench();
    bench.define('/web/{address}');
    bench.add(JUDGE);
    await bench.probed();
    bench.calls.length = 0;
    bench.define('/web/{address}', 2);
    bench.add({ ...JUDGE, id: 2, probe: 2, definition: 2 });
    bench.shard.receive({ kind: 'drop', judges: [JUDGE.id] });
    bench.shard.receive({ kind: 'undefine', id: 1 });
    await bench.probed();
    expect(bench.calls.slice(0, 2)).toEqual(['watch /web/10.0.0.1', 'release /web/10.0.0.1']);
  });

  it('is watched from a later probe on where the first found nobody to ask ZooKeeper', async () => {
    const released: string[] = [];
    const refusals = [new Error('too many open files'), new Error('still too many')];
    const bench = new Bench(() => {
      const refusal = refusals.shift();
      if (refusal !== undefined) return Promise.reject(refusal);
      const watch = (_: unknown, path: string) => ({
        ask: () => bench.answer,
        release: () => void released.push(path),
      });
      return Promise.resolve({ watch });
    });
    bench.define('/web/{address}');
    bench.add(JUDGE);
    expect(await bench.probed()).toMatchObject({ cause: 'not run: defect in the check: too many open files' });
    await bench.probed();
    expect(await bench.probed()).toMatchObject({ state: 'up' });
    bench.shard.receive({ kind: 'drop', judges: [JUDGE.id] });
    await bench.probed();
    expect(released).toEqual(['/web/10.0.0.1']);
  });

  it('is not watched again once it is not wanted', async () => {
    let opened = 0;
    let fail: (error: Error) => void = () => undefined;
    const bench = new Bench(() => {
      opened += 1;
      return new Promise((_, reject) => (fail = reject));
    });
    bench.define('/web/{address}');
    bench.add(JUDGE);
    await bench.probed();
    bench.shard.receive({ kind: 'drop', judges: [JUDGE.id] });
    fail(new Error('too many open files'));
    await bench.probed();
    expect(opened).toBe(1);
  });

  it('says so where nobody can ask ZooKeeper, and harms nothing else', async () => {
    const bench = new Bench(() => Promise.reject(new Error('the module is gone')));
    bench.define('/web/{address}');
    bench.add(JUDGE);
    expect(await bench.probed()).toMatchObject({
      state: 'unknown',
      cause: 'not run: defect in the check: the module is gone',
    });
    bench.shard.receive({ kind: 'drop', judges: [JUDGE.id] });
    await bench.probed();
  });
});
