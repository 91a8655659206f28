import { describe, expect, it } from 'vitest';
import { History } from '../../../src/agent/history.ts';
import type { Desired } from '../../../src/agent/policy/desired-state.ts';
import { newsOf } from '../../../src/agent/policy/news.ts';
import type { Decided } from '../../../src/agent/policy/news.ts';
import { routesFor } from '../../../src/agent/policy/routes.ts';
import type { VerdictState } from '../../../src/checks/port.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { configuration, real, service } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';

const WEB = configuration([service('web', [real('a', '10.0.0.1'), real('b', '10.0.0.2')])]);
const A = '10.0.0.1';
const B = '10.0.0.2';

/** Passes one after another, and what was news in the last. */
class Run {
  readonly #decisions = new Decisions();
  #before: Decided | null = null;

  pass(desired: Desired, states: Readonly<Record<string, VerdictState>> = {}): string[] {
    const effective = this.#decisions.decide(desired, states);
    const after = { effective, vips: routesFor(desired, effective, null).vips };
    const news = newsOf(this.#before, after);
    this.#before = after;
    this.#decisions.wait(1_000);
    return news.map(({ what, why, grave }) => `${grave ? '! ' : ''}${what}: ${why}`);
  }
}

describe('what is news after a pass', () => {
  it('is nothing at the start, and no first success of a check', () => {
    const run = new Run();
    expect(run.pass(WEB)).toEqual([]);
    expect(run.pass(WEB, { [A]: 'up', [B]: 'up' })).toEqual([
      'VIP shop is announced: service web holds its quorum',
      expect.stringMatching(/^service web has a quorum: 2 reals are up/),
    ]);
    expect(run.pass(WEB, { [A]: 'up', [B]: 'up' })).toEqual([]);
  });

  it('is a real that fails, the quorum that goes with it, and both again when it is back', () => {
    const run = new Run();
    run.pass(WEB, { [A]: 'up', [B]: 'up' });
    expect(run.pass(WEB, { [A]: 'down', [B]: 'up' })).toEqual(['! real web/a is down: ok: it is down']);
    expect(run.pass(WEB, { [A]: 'down', [B]: 'down' })).toEqual([
      expect.stringMatching(/^! VIP shop is withdrawn: service web: its quorum is lost/),
      expect.stringMatching(/^! service web has lost its quorum: 0 reals are up/),
      '! real web/b is down: ok: it is down',
    ]);
    expect(run.pass(WEB, { [A]: 'up', [B]: 'down' })).toEqual([
      'VIP shop is announced: service web holds its quorum',
      expect.stringMatching(/^service web has a quorum/),
      'real web/a is up: ok: it is up',
    ]);
    expect(run.pass(WEB, { [A]: 'unknown', [B]: 'down' })).toEqual(['! real web/a is unknown: ok: it is unknown']);
  });

  it('is a first verdict that is bad', () => {
    const run = new Run();
    run.pass(WEB);
    expect(run.pass(WEB, { [A]: 'up', [B]: 'down' })).toContain('! real web/b is down: ok: it is down');
  });

  it('is what operators wanted, with their reason', () => {
    const run = new Run();
    const states = { [A]: 'up', [B]: 'up' } as const;
    run.pass(WEB, states);
    const drains = { d: { name: 'd', target: { kind: 'real', service: 'web', real: 'a' }, by: 'ana', why: 'upgrade' } };
    const drained = { ...WEB, drains: { d: { ...drains.d, until: null, onExpiry: 'undrain' } } } as Desired;
    expect(run.pass(drained, states)).toEqual([expect.stringMatching(/^real web\/a is drained: .*ana.*upgrade/)]);
    expect(run.pass(WEB, states)).toEqual([expect.stringMatching(/^real web\/a is enabled: /)]);
    const off = configuration([service('web', [real('a', A), real('b', B)], { state: 'disabled' })]);
    expect(run.pass(off, states)).toContain('! service web is disabled: disabled by its record');
  });

  it('is the floor that keeps a failing real in', () => {
    const health = { ...service('web', []).health, floor: 0.5 };
    const kept = configuration([service('web', [real('a', A), real('b', B)], { health })]);
    const run = new Run();
    run.pass(kept, { [A]: 'up', [B]: 'up' });
    const ours = expect.stringMatching(/^! real web\/[ab] is kept in, although it fails: /) as string;
    expect(run.pass(kept, { [A]: 'down', [B]: 'down' })).toContainEqual(ours);
    expect(run.pass(kept, { [A]: 'up', [B]: 'up' })).toContainEqual(
      expect.stringMatching(/^real web\/[ab] is kept in no more: /),
    );
  });

  it('is the sorry server', () => {
    const sorry = { address: '10.9.9.9' as IpAddress, port: 80, forwarding: { method: 'nat' } } as const;
    const web = configuration([service('web', [real('a', A), real('b', B)], { sorry })]);
    const run = new Run();
    run.pass(web, { [A]: 'up', [B]: 'up' });
    expect(run.pass(web, { [A]: 'down', [B]: 'down' })).toContainEqual(
      expect.stringMatching(/^! the sorry server of service web takes the traffic: 0 reals are up/),
    );
    expect(run.pass(web, { [A]: 'up', [B]: 'up' })).toContainEqual(
      expect.stringMatching(/^the sorry server of service web has no more traffic: /),
    );
  });

  it('is a VIP that was announced and is not configured any more', () => {
    const run = new Run();
    run.pass(WEB, { [A]: 'up' });
    expect(run.pass(configuration([], { vips: [] }))).toEqual([
      '! VIP shop is withdrawn: nothing of it is configured here any more',
    ]);
  });
});

describe('the history', () => {
  const many = configuration([
    service(
      'web',
      Array.from({ length: 200 }, (_, at) => real(`r${at}`, `10.0.1.${at}`)),
    ),
  ]);
  const all = (state: VerdictState) =>
    Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`10.0.1.${at}`, state] as const));

  it('remembers the last with their times, logs a bounded number of each pass, and says how many it left out', () => {
    const clock = new ManualClock();
    const log = new RecordingLog();
    const history = new History({ clock, log });
    const decisions = new Decisions();
    const pass = (state: VerdictState): void => {
      const effective = decisions.decide(many, all(state));
      history.note({ effective, vips: routesFor(many, effective, null).vips });
      clock.advance(1_000);
      decisions.wait(1_000);
    };
    pass('up');
    const before = log.lines.length;
    pass('down');
    const lines = log.lines.slice(before);
    expect(lines).toHaveLength(51);
    expect(lines[0]).toMatchObject({ level: 'warn', message: 'VIP shop is withdrawn' });
    expect(lines[2]).toMatchObject({
      level: 'warn',
      message: 'real web/r0 is down',
      fields: { why: 'ok: it is down' },
    });
    // VIP and quorum are news, too.
    expect(lines.at(-1)).toMatchObject({ fields: { omitted: 152 } });
    for (const state of ['up', 'down', 'up'] as const) pass(state);
    const recent = history.recent();
    expect(recent).toHaveLength(100);
    expect(recent.at(-1)).toMatchObject({ at: clock.now() - 1_000, what: expect.stringMatching(/ is up$/) as string });
    expect(log.lines.at(-2)).toMatchObject({ level: 'info' });
  });
});
