import { describe, expect, test } from 'vitest';
import { bytes, failure, present, put, value } from './contract-store.ts';
import type { ContractFixture } from './contract-store.ts';
import { eventually } from '../lab/eventually.ts';

/** What operators do through the store client. */
export function describeOperators(fixture: ContractFixture): void {
  describe('for operators', () => {
    test('a record is made with its parents, read, edited and deleted', async () => {
      const operator = fixture.client();
      expect(await value(operator.get('config/services/web/reals/a'))).toBeNull();
      await value(operator.write([put('config/services/web/reals/a', '{"n":1}', null)]));
      expect(await fixture.store().outsider.get('config/services/web/reals/a')).toBe('{"n":1}');
      const made = await present(operator, 'config/services/web/reals/a');
      expect(Buffer.from(made.bytes).toString()).toBe('{"n":1}');
      await value(operator.write([put('config/services/web/reals/a', '{"n":2}', made.modified)]));
      const edited = await present(operator, 'config/services/web/reals/a');
      expect(edited.modified).not.toBe(made.modified);
      expect(edited.created).toBe(made.created);
      await value(operator.write([{ kind: 'delete', path: edited.path, expected: edited.modified }]));
      expect(await fixture.store().outsider.get('config/services/web/reals/a')).toBeNull();
    });

    test('a write meets what it expects, or nothing of it happens', async () => {
      const operator = fixture.client();
      await value(operator.write([put('config/vips/a', '{"n":1}'), put('config/vips/b', '{"n":1}')]));
      const before = await present(operator, 'config/vips/a');
      await fixture.store().outsider.put('config/vips/a', '{"n":2}');
      const stale = put('config/vips/a', '{"n":3}', before.modified);
      const edit = put('config/vips/b', '{"n":3}');
      const create = put('config/vips/c', '{"n":3}', null);
      expect(await failure(operator.write([edit, create, stale]))).toBe('STORE_CONFLICT');
      expect(await failure(operator.write([edit, put('config/vips/a', '{}', null)]))).toBe('STORE_CONFLICT');
      expect(await failure(operator.write([edit, put('config/vips/x', '{}', before.modified)]))).toBe('STORE_CONFLICT');
      expect(await failure(operator.write([edit, { kind: 'delete', path: 'config/vips/x' }]))).toBe('STORE_NOT_FOUND');
      const staleDelete = { kind: 'delete', path: 'config/vips/a', expected: before.modified } as const;
      expect(await failure(operator.write([edit, staleDelete]))).toBe('STORE_CONFLICT');
      expect(await fixture.store().outsider.get('config/vips/a')).toBe('{"n":2}');
      expect(await fixture.store().outsider.get('config/vips/b')).toBe('{"n":1}');
      expect(await fixture.store().outsider.get('config/vips/c')).toBeNull();
    });

    test('of two edits of one revision, one wins', async () => {
      const operator = fixture.client();
      await value(operator.write([put('config/vips/a', '{"n":0}')]));
      for (let round = 1; round <= 5; round++) {
        const { modified } = await present(operator, 'config/vips/a');
        const writers = [fixture.client(), fixture.client()];
        const outcomes = await Promise.all(
          writers.map((each, n) => each.write([put('config/vips/a', `{"round":${round},"n":${n}}`, modified)])),
        );
        expect(outcomes.filter((each) => each.ok)).toHaveLength(1);
        const winner = outcomes.findIndex((each) => each.ok);
        expect(await fixture.store().outsider.get('config/vips/a')).toBe(`{"round":${round},"n":${winner}}`);
      }
    });

    test('a listing has what lies at and below a path, and no neighbours', async () => {
      const operator = fixture.client();
      await value(
        operator.write([
          put('config/services/web', '{}'),
          put('config/services/web/reals/a', '{}'),
          put('config/services/web-2', '{}'),
          put('config/vips/web', '{}'),
        ]),
      );
      const records = async (prefix: string): Promise<string[]> =>
        (await value(operator.list(prefix))).filter((each) => each.bytes.length > 0).map((each) => each.path);
      expect(await records('config/services/web')).toEqual(['config/services/web', 'config/services/web/reals/a']);
      expect(await records('config')).toHaveLength(4);
      expect(await records('config/none')).toEqual([]);
    });

    test('many records are deleted in one write, whatever their order', async () => {
      const operator = fixture.client();
      const paths = ['config/services/web', 'config/services/web/reals/a', 'config/services/web/reals/b'];
      await value(operator.write(paths.map((path) => put(path, '{}'))));
      await value(operator.write(paths.map((path) => ({ kind: 'delete', path }) as const)));
      for (const path of paths) expect(await fixture.store().outsider.get(path)).toBeNull();
    });

    test('a watch tells of every change at and below its path, and of nothing once it is stopped', async () => {
      const { outsider } = fixture.store();
      await outsider.put('config/vips/web', '{"n":0}');
      const operator = fixture.client();
      let pokes = 0;
      const states: (string | null)[] = [];
      const stop = operator.watch('config', {
        onChange: () => (pokes += 1),
        onState: (lost) => states.push(lost?.code ?? null),
      });
      // Whatever it begins with is over before the first change.
      const quiet = async (): Promise<number> => {
        await eventually('the watch stands', () => pokes > 0);
        await value(operator.list('config'));
        return pokes;
      };
      const changes = [
        () => outsider.put('config/vips/web', '{"n":1}'),
        () => outsider.put('config/services/web', '{}'),
        () => outsider.put('config/services/web/reals/a', '{}'),
        () => outsider.remove('config/vips/web'),
      ];
      for (const change of changes) {
        const before = await quiet();
        await change();
        await eventually('a poke', () => pokes > before, { everyMs: 5 });
      }
      stop();
      expect(states.filter((code) => code !== null)).toEqual([]);
      await operator.close();
      const before = pokes;
      await outsider.put('config/vips/late', '{}');
      expect(await outsider.get('config/vips/late')).toBe('{}');
      expect(pokes).toBe(before);
    });

    test('a health record that a source published is read', async () => {
      await fixture.store().outsider.put('config/vips/other', '{}');
      const source = await fixture.connect();
      await value(source.publish(new Map([['state/health/web/lb1', bytes('{"n":1}')]])));
      const listed = await value(fixture.client().list('state/health'));
      const found = listed.find((each) => each.path === 'state/health/web/lb1');
      expect(Buffer.from(found?.bytes ?? []).toString()).toBe('{"n":1}');
    });
  });
}
