import { describe, expect, it } from 'vitest';
import type { Verdict, WantedCheck } from '../../../src/checks/port.ts';
import type { FromShard, JudgeSpec, ToShard } from '../../../src/checks/protocol.ts';
import { BATCH_LIMIT } from '../../../src/checks/protocol.ts';
import { ShardedCheckRunner } from '../../../src/checks/runner.ts';
import type { OpenShard, ShardEvents } from '../../../src/checks/shard-link.ts';
import { openLocalShard } from '../../../src/checks/shard-link.ts';
import { PING_MS, SILENT_PINGS } from '../../../src/checks/shard-supervisor.ts';
import { silentLog } from '../../../src/core/ports.ts';
import type { Log } from '../../../src/core/ports.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { SUCCESS, scriptedCheck, wanted } from '../../fakes/scripted-check.ts';

/** Shards that only note what they are told; the test speaks for them. */
class DeafShards {
  readonly opened: { readonly events: ShardEvents; readonly told: ToShard[]; closed: boolean }[] = [];

  readonly open: OpenShard = (events) => {
    const shard = { events, told: [] as ToShard[], closed: false };
    this.opened.push(shard);
    return {
      post: (message) => void shard.told.push(structuredClone(message)),
      close() {
        shard.closed = true;
        return Promise.resolve();
      },
    };
  };

  get newest() {
    const shard = this.opened.at(-1);
    if (shard === undefined) throw new Error('no shard was opened');
    return shard;
  }

  judges(): JudgeSpec[] {
    return judgesIn(this.newest.told);
  }

  say(message: FromShard): void {
    this.newest.events.onMessage(message);
  }
}

function judgesIn(told: readonly ToShard[]): JudgeSpec[] {
  return told.flatMap((message) => (message.kind === 'add' ? message.judges : []));
}

const UP: Verdict = { state: 'up', since: 1, cause: '200 in 3 ms', latencyMs: 3, at: 2 };
const PONG: FromShard = {
  kind: 'pong',
  counts: { probes: 1, inFlight: 0, succeeded: 1, failed: 0, notRun: 0, worstLateMs: 0 },
};

function supervised(checks: readonly WantedCheck[]) {
  const clock = new ManualClock();
  const shards = new DeafShards();
  const errors: string[] = [];
  const log: Log = { ...silentLog, error: (_fields, message) => void errors.push(message), child: () => log };
  const runner = new ShardedCheckRunner({ clock, random: () => 0, log }, shards.open);
  let pokes = 0;
  runner.onChange(() => pokes++);
  runner.setWanted(checks);
  /** All verdicts so far are up. */
  const allUp = (): void => {
    shards.say({ kind: 'notices', notices: shards.judges().map(({ id }) => ({ id, ...UP })) });
    clock.advance(0);
  };
  return { clock, shards, runner, errors, allUp, pokes: () => pokes };
}

describe('what shards tell', () => {
  it('is passed on once, in the next turn, however many messages were waiting', () => {
    const ports = Array.from({ length: 100 }, (_, index) => 1_000 + index);
    const { clock, shards, runner, pokes } = supervised(ports.map((port) => wanted(`of ${port}`, { port })));
    for (const { id } of shards.judges()) shards.say({ kind: 'notices', notices: [{ id, ...UP }] });
    expect([pokes(), runner.settled()]).toEqual([0, true]);
    clock.advance(0);
    expect(pokes()).toBe(1);
    clock.advance(1_000);
    expect(pokes()).toBe(1);
  });
});

it('targets are spread over all shards, and each is of one of them', () => {
  const targets = Array.from({ length: 100 }, (_, index) => wanted(`${index}`, { address: `10.0.0.${index}` }));
  const shards = new DeafShards();
  const deps = { clock: new ManualClock(), random: () => 0, log: silentLog, workers: 4 };
  new ShardedCheckRunner(deps, shards.open).setWanted(targets);
  const judges = shards.opened.map(({ told }) => judgesIn(told).length);
  expect(judges.reduce((sum, count) => sum + count, 0)).toBe(100);
  for (const count of judges) expect(count).toBeGreaterThan(10);
});

describe('a shard that dies', () => {
  it('is opened again, with everything that it knew', () => {
    const { clock, shards, runner, errors, allUp, pokes } = supervised([wanted('a'), wanted('b', { port: 81 })]);
    allUp();
    const told = shards.judges();
    const pokesBefore = pokes();
    shards.newest.events.onEnd('exit code 1');
    expect(errors).toEqual(['a checking thread is restarted; verdicts stay']);
    clock.advance(200);
    expect(shards.opened).toHaveLength(2);
    expect(shards.judges()).toEqual(told.map((judge) => ({ ...judge, seed: { ...UP, judged: true } })));
    expect(shards.newest.told[0]?.kind).toBe('define');
    expect(Array.from(runner.verdicts(), ([, verdict]) => verdict)).toEqual([UP, UP]);
    expect([pokes(), runner.stats().restarts]).toEqual([pokesBefore, 1]);
  });

  it('again and again is opened less and less often, and doubted in the end', () => {
    const { clock, shards, runner, allUp, pokes } = supervised([wanted('a')]);
    allUp();
    const pokesBefore = pokes();
    for (let second = 0; second < 60; second++) {
      if (!shards.newest.closed) shards.newest.events.onEnd('exit code 1');
      clock.advance(1_000);
    }
    expect(shards.opened.length).toBeGreaterThan(5);
    expect(shards.opened.length).toBeLessThan(20);
    expect(runner.verdicts().get('a')).toMatchObject({
      state: 'unknown',
      cause: 'not run: the checking thread does not answer',
    });
    expect(pokes()).toBe(pokesBefore + 1);
    // What was known is not lost: the thresholds still protect it.
    expect(shards.judges()[0]?.seed).toMatchObject({ state: 'unknown', judged: true });
  });

  it('is told of what became wanted while it was away', () => {
    const { clock, shards, runner } = supervised([wanted('a')]);
    shards.newest.events.onEnd('exit code 1');
    runner.setWanted([wanted('b', { port: 81 })]);
    clock.advance(200);
    expect(shards.judges().map(({ port }) => port)).toEqual([81]);
  });

  it('is not opened again after the runner was closed', async () => {
    const { clock, shards, runner } = supervised([wanted('a')]);
    shards.newest.events.onEnd('exit code 1');
    await runner.close();
    clock.advance(60_000);
    expect([shards.opened.length, clock.pendingTimers]).toEqual([1, 0]);
  });
});

describe('a shard that hangs', () => {
  it('is ended and opened again after some unanswered pings, and its verdicts are doubted then', () => {
    const { clock, shards, runner, errors, allUp } = supervised([wanted('a')]);
    allUp();
    clock.advance(PING_MS * SILENT_PINGS);
    expect([shards.opened.length, runner.verdicts().get('a')?.state]).toEqual([1, 'up']);
    clock.advance(PING_MS + 200);
    expect(shards.opened.map(({ closed }) => closed)).toEqual([true, false]);
    expect(errors).toHaveLength(1);
    expect(runner.verdicts().get('a')).toMatchObject({ state: 'unknown', since: expect.any(Number) as number });
    // What the old one may still say is not heard.
    shards.opened[0]?.events.onEnd('late');
    expect(shards.opened).toHaveLength(2);
    allUp();
    expect(runner.verdicts().get('a')).toEqual(UP);
  });

  it('is believed as long as it answers', () => {
    const { clock, shards, runner, allUp } = supervised([wanted('a')]);
    allUp();
    for (let ping = 0; ping < 20; ping++) {
      clock.advance(PING_MS);
      shards.say(PONG);
    }
    expect([shards.opened.length, runner.verdicts().get('a')?.state]).toEqual([1, 'up']);
  });
});

describe('what passes between', () => {
  it('comes in batches', () => {
    const many = Array.from({ length: 2 * BATCH_LIMIT + 1 }, (_, index) =>
      wanted(`check ${index}`, { port: index + 1 }),
    );
    const { shards } = supervised(many);
    const sizes = shards.newest.told.flatMap((message) => (message.kind === 'add' ? [message.judges.length] : []));
    expect(sizes).toEqual([BATCH_LIMIT, BATCH_LIMIT, 1]);
    expect(shards.newest.told.filter(({ kind }) => kind === 'define')).toHaveLength(1);
  });

  it('adds before it drops, and forgets definitions last', () => {
    const { shards, runner } = supervised([wanted('a')]);
    shards.newest.told.length = 0;
    const other = { ...wanted('b').target.definition, intervalMs: 3_000 };
    runner.setWanted([wanted('b', { definition: other })]);
    expect(shards.newest.told.map(({ kind }) => kind)).toEqual(['define', 'add', 'drop', 'undefine']);
  });

  it('says nothing of verdicts that are not wanted any more', () => {
    const { shards, runner, pokes } = supervised([wanted('a')]);
    const [judge] = shards.judges();
    runner.setWanted([]);
    const before = pokes();
    shards.say({ kind: 'notices', notices: [{ id: judge?.id ?? 0, ...UP }] });
    expect([[...runner.verdicts()].length, pokes()]).toEqual([0, before]);
  });

  it('may be lost: every verdict is told again within fifteen seconds', async () => {
    const clock = new ManualClock();
    const { types } = scriptedCheck(() => SUCCESS);
    const near = openLocalShard({ clock, random: () => 0.5, types });
    let lost = 0;
    const lossy: OpenShard = (events) =>
      near({
        ...events,
        onMessage(message) {
          if (message.kind === 'notices' && clock.monotonic() < 500) lost += message.notices.length;
          else events.onMessage(message);
        },
      });
    const runner = new ShardedCheckRunner({ clock, random: () => 0.5, log: silentLog }, lossy);
    let pokes = 0;
    runner.onChange(() => pokes++);
    runner.setWanted(Array.from({ length: 100 }, (_, index) => wanted(`check ${index}`, { port: index + 1 })));
    await clock.advanceAsync(500);
    expect([lost, runner.settled(), pokes]).toEqual([100, false, 0]);
    await clock.advanceAsync(16_500);
    expect(runner.settled()).toBe(true);
    expect(new Set(Array.from(runner.verdicts(), ([, { state }]) => state))).toEqual(new Set(['up']));
    expect(pokes).toBeGreaterThan(0);
    await runner.close();
  });
});
