import { beforeEach, describe, expect, test } from 'vitest';
import { eventually } from '../lab/eventually.ts';
import { bytes, session, stateKinds, value } from './contract-store.ts';
import type { ContractFixture } from './contract-store.ts';

/** What the agent writes under its session, and what becomes of it with the session. */
export function describePublishing(fixture: ContractFixture): void {
  describe('publishing', () => {
    const path = 'state/health/web/lb1';

    beforeEach(async () => {
      await fixture.store().outsider.put('config/vips/other', '{}');
    });

    test('the whole set goes out, and afterwards only what differs', async () => {
      const source = await fixture.connect();
      const wanted = new Map([
        [path, bytes('{"n":1}')],
        ['state/agents/lb1', bytes('{"a":1}')],
      ]);
      expect(await value(source.publish(wanted))).toEqual({ written: 2, deleted: 0, refused: new Map() });
      expect(await fixture.store().outsider.get(path)).toBe('{"n":1}');
      expect(await value(source.publish(wanted))).toEqual({ written: 0, deleted: 0, refused: new Map() });
      const next = new Map([[path, bytes('{"n":2}')]]);
      expect(await value(source.publish(next))).toEqual({ written: 1, deleted: 1, refused: new Map() });
      expect(await fixture.store().outsider.get(path)).toBe('{"n":2}');
      expect(await fixture.store().outsider.get('state/agents/lb1')).toBeNull();
    });

    test('a large set goes out in batches', async () => {
      const source = await fixture.connect();
      const wanted = new Map<string, Uint8Array>();
      for (let n = 0; n < 350; n++) wanted.set(`state/health/s${n}/lb1`, bytes(`{"n":${n}}`));
      expect((await value(source.publish(wanted))).written).toBe(350);
      expect(await fixture.store().outsider.get('state/health/s0/lb1')).toBe('{"n":0}');
      expect(await fixture.store().outsider.get('state/health/s349/lb1')).toBe('{"n":349}');
    });

    test('two calls at once end in the later set', async () => {
      const source = await fixture.connect();
      const first = source.publish(new Map([[path, bytes('{"n":1}')]]));
      const second = source.publish(new Map([[path, bytes('{"n":2}')]]));
      await value(first);
      await value(second);
      expect(await fixture.store().outsider.get(path)).toBe('{"n":2}');
    });

    test('a set handed over before there is a connection goes out with it', async () => {
      const source = fixture.prepare();
      const early = await source.publish(new Map([[path, bytes('{"n":1}')]]));
      expect(early.ok).toBe(false);
      await fixture.connect(source);
      await eventually('the set is published', async () => (await fixture.store().outsider.get(path)) === '{"n":1}');
    });

    test('the owner of a record is told', async () => {
      const source = await fixture.connect();
      expect(await value(source.owner(path))).toBeNull();
      await value(source.publish(new Map([[path, bytes('{"n":1}')]])));
      const owner = await value(source.owner(path));
      expect(owner?.session).toBe(session(source));
      expect(Buffer.from(owner?.bytes ?? []).toString()).toBe('{"n":1}');
    });

    test('a record of another live session is refused, and taken once that session has ended', async () => {
      const first = await fixture.connect();
      const second = await fixture.connect();
      await value(first.publish(new Map([[path, bytes('{"from":"first"}')]])));
      const wanted = new Map([
        [path, bytes('{"from":"second"}')],
        ['state/health/web/lb2', bytes('{"from":"second"}')],
      ]);
      const refused = await value(second.publish(wanted));
      expect(refused).toEqual({ written: 1, deleted: 0, refused: new Map([[path, session(first)]]) });
      expect(await fixture.store().outsider.get(path)).toBe('{"from":"first"}');
      // What was refused is not the second's to take away, either.
      await value(second.publish(new Map()));
      expect(await fixture.store().outsider.get(path)).toBe('{"from":"first"}');
      await first.close({ keepEphemeral: false });
      const taken = await value(second.publish(wanted));
      expect(taken.refused.size).toBe(0);
      expect(await fixture.store().outsider.get(path)).toBe('{"from":"second"}');
    });

    test('a record that somebody deletes is written again soon, without being asked for', async () => {
      const source = await fixture.connect();
      const wanted = new Map([
        [path, bytes('{"n":1}')],
        ['state/agents/lb1', bytes('{"a":1}')],
      ]);
      await value(source.publish(wanted));
      for (let round = 0; round < 2; round++) {
        await fixture.store().outsider.remove(path);
        await eventually('it is there again', async () => (await fixture.store().outsider.get(path)) === '{"n":1}');
        expect((await value(source.owner(path)))?.session).toBe(session(source));
      }
      await fixture.store().outsider.removeTree('state/health');
      await eventually('with its folders', async () => (await fixture.store().outsider.get(path)) === '{"n":1}');
      // What we take away ourselves stays away, and what we write afterwards is watched as well.
      await value(source.publish(new Map()));
      expect(await fixture.store().outsider.get(path)).toBeNull();
      await value(source.publish(wanted));
      await fixture.store().outsider.remove(path);
      await eventually('again', async () => (await fixture.store().outsider.get(path)) !== null);
    });

    test('two strangers who want one record at the same moment never both get it', async () => {
      const [first, second] = await Promise.all([fixture.connect(), fixture.connect()]);
      for (let round = 0; round < 10; round++) {
        const contested = `state/health/web/round${round}`;
        const reports = await Promise.all(
          [first, second].map((each) => value(each.publish(new Map([[contested, bytes(session(each))]])))),
        );
        const winners = reports.filter((each) => each.refused.size === 0);
        expect(winners).toHaveLength(1);
        expect(await fixture.store().outsider.get(contested)).toBe(
          reports[0] === winners[0] ? session(first) : session(second),
        );
      }
    });

    test('a session that was ours before is replaced at once', async () => {
      const before = await fixture.connect();
      await value(before.publish(new Map([[path, bytes('{"run":1}')]])));
      const old = session(before);
      const after = fixture.prepare();
      after.adoptSessions([old]);
      await fixture.connect(after);
      const adopted = await value(after.publish(new Map([[path, bytes('{"run":2}')]])));
      expect(adopted).toEqual({ written: 1, deleted: 0, refused: new Map() });
      expect(await fixture.store().outsider.get(path)).toBe('{"run":2}');
      expect((await value(after.owner(path)))?.session).toBe(session(after));
      // The record must not go with the session that it was taken from.
      await before.close({ keepEphemeral: false });
      expect(await fixture.store().outsider.get(path)).toBe('{"run":2}');
    });

    test('after a lost session everything is published again by itself, under the new one', async () => {
      const source = await fixture.connect();
      const states = stateKinds(source);
      await value(source.publish(new Map([[path, bytes('{"n":1}')]])));
      const old = session(source);
      await fixture.store().endSession(old);
      await eventually('another session', () => source.state().kind === 'connected' && session(source) !== old);
      await eventually(
        'published under it',
        async () => (await value(source.owner(path)))?.session === session(source),
      );
      expect(await fixture.store().outsider.get(path)).toBe('{"n":1}');
      expect(states()).toContain('connecting');
    });

    test('an ordinary close takes our records along', async () => {
      const source = await fixture.connect();
      await value(source.publish(new Map([[path, bytes('{"n":1}')]])));
      await source.close({ keepEphemeral: false });
      await eventually('the record is gone', async () => (await fixture.store().outsider.get(path)) === null);
      expect(source.state().kind).toBe('closed');
      expect(await source.snapshot()).toMatchObject({ ok: false, error: { code: 'STORE_CLOSED' } });
    });

    test('a close for a restart leaves them until the session runs out', async () => {
      const source = await fixture.connect();
      const witness = await fixture.connect();
      await value(source.publish(new Map([[path, bytes('{"n":1}')]])));
      const left = session(source);
      await source.close({ keepEphemeral: true });
      expect((await value(witness.owner(path)))?.session).toBe(left);
      const refused = await value(witness.publish(new Map([[path, bytes('{"n":2}')]])));
      expect([...refused.refused.values()]).toEqual([left]);
      await value(witness.publish(new Map()));
      const timeoutMs = fixture.server().sessionTimeoutMs * 3 + 2_000;
      await eventually('the record fell', async () => (await fixture.store().outsider.get(path)) === null, {
        timeoutMs,
      });
      expect(await value(witness.owner(path))).toBeNull();
    });
  });
}
