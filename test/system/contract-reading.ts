import { describe, expect, test } from 'vitest';
import { settle } from '../fakes/manual-clock.ts';
import { eventually } from '../lab/eventually.ts';
import { bytes, pokes, recordAt, snapshot, text, until } from './contract-store.ts';
import type { ContractFixture } from './contract-store.ts';

/** What the agent reads, and how it hears of changes. */
export function describeReading(fixture: ContractFixture): void {
  describe('reading', () => {
    test('no root is told from an empty one, and its appearance is noticed', async () => {
      const source = await fixture.connect();
      expect(await snapshot(source)).toMatchObject({ rootExists: false, records: new Map() });
      const poked = pokes(source);
      await fixture.store().outsider.put('config/vips/web', '{"addresses":["203.0.113.10"]}');
      await poked.next();
      const after = await until(source, (each) => each.records.has('config/vips/web'));
      expect(after.rootExists).toBe(true);
      expect(text(after, 'config/vips/web')).toBe('{"addresses":["203.0.113.10"]}');
      expect(after.position).not.toBe('');
    });

    test('what an agent publishes does not make a root', async () => {
      const source = await fixture.connect();
      // Whether it goes out before there is a root is the store's affair.
      await source.publish(new Map([['state/health/web/lb1', bytes('{"n":1}')]]));
      expect(await snapshot(source)).toMatchObject({ rootExists: false, records: new Map() });
    });

    test('a record is read byte for byte, and a folder is empty', async () => {
      await fixture.store().outsider.put('config/services/web', '{"vip":"wéb","match":{"ports":["443"]}}\n');
      await fixture.store().outsider.put('config/services/web/reals/a', '{"address":"10.0.0.1"}');
      await fixture.store().outsider.makeFolder('config/checks');
      const source = await fixture.connect();
      const read = await until(source, (each) => each.records.has('config/checks'));
      expect(text(read, 'config/services/web')).toBe('{"vip":"wéb","match":{"ports":["443"]}}\n');
      expect(text(read, 'config/services/web/reals/a')).toBe('{"address":"10.0.0.1"}');
      expect(read.records.get('config/checks')?.bytes).toHaveLength(0);
      expect([...read.records.keys()].every((path) => path.startsWith('config/'))).toBe(true);
    });

    test('records keep their order of creation through edits', async () => {
      await fixture.store().outsider.put('config/vips/zeta', '{"n":1}');
      await fixture.store().outsider.tick?.();
      await fixture.store().outsider.put('config/vips/alpha', '{"n":1}');
      const source = await fixture.connect();
      const first = await until(source, (each) => each.records.has('config/vips/alpha'));
      await fixture.store().outsider.put('config/vips/zeta', '{"n":2}');
      const second = await until(source, (each) => text(each, 'config/vips/zeta') === '{"n":2}');
      for (const each of [first, second]) {
        expect(recordAt(each, 'config/vips/zeta').created).toBeLessThan(recordAt(each, 'config/vips/alpha').created);
      }
      const zeta = 'config/vips/zeta';
      expect(recordAt(second, zeta).modified).not.toBe(recordAt(first, zeta).modified);
      const alpha = 'config/vips/alpha';
      expect(recordAt(second, alpha).modified).toBe(recordAt(first, alpha).modified);
    });

    test('creation, edit, deletion and recursive deletion each poke', async () => {
      await fixture.store().outsider.put('config/vips/other', '{}');
      const source = await fixture.connect();
      await until(source, (each) => each.records.has('config/vips/other'));
      const poked = pokes(source);
      await fixture.store().outsider.put('config/services/web/reals/a', '{"n":1}');
      await poked.next();
      await until(source, (each) => text(each, 'config/services/web/reals/a') === '{"n":1}');
      await fixture.store().outsider.put('config/services/web/reals/a', '{"n":2}');
      await poked.next();
      await until(source, (each) => text(each, 'config/services/web/reals/a') === '{"n":2}');
      await fixture.store().outsider.put('config/services/web/reals/b', '{}');
      await until(source, (each) => each.records.has('config/services/web/reals/b'));
      await poked.next();
      await fixture.store().outsider.remove('config/services/web/reals/b');
      await poked.next();
      await until(source, (each) => !each.records.has('config/services/web/reals/b'));
      await fixture.store().outsider.removeTree('config/services');
      await poked.next();
      const last = await until(source, (each) => ![...each.records.keys()].some((path) => path.includes('services')));
      expect(last.records.has('config/vips/other')).toBe(true);
    });

    test('the last of many edits is always seen', async () => {
      await fixture.store().outsider.put('config/vips/counter', '{"n":0}');
      const source = await fixture.connect();
      let latest = '';
      let reading = Promise.resolve();
      source.onChange(() => {
        reading = reading.then(async () => {
          latest = text(await snapshot(source), 'config/vips/counter') ?? '';
        });
      });
      for (let n = 1; n <= 100; n++) await fixture.store().outsider.put('config/vips/counter', `{"n":${n}}`);
      await eventually('the last edit is read after a poke', () => latest === '{"n":100}');
      await reading;
    });

    test.runIf(fixture.transactions)('what was written in one step is read as one', async () => {
      const { putBoth } = fixture.store();
      if (putBoth === undefined) throw new Error('a store with transactions must offer one');
      await putBoth('config/vips/left', 'config/services/right', '{"n":0}');
      const source = await fixture.connect();
      let torn = 0;
      let readings = 0;
      const writing = new AbortController();
      const reader = (async (): Promise<void> => {
        while (!writing.signal.aborted) {
          // A source may answer from what it has, without giving the writer a turn.
          await settle();
          const each = await snapshot(source);
          readings += 1;
          if (text(each, 'config/vips/left') !== text(each, 'config/services/right')) torn += 1;
        }
      })();
      for (let n = 1; n <= 100; n++) await putBoth('config/vips/left', 'config/services/right', `{"n":${n}}`);
      writing.abort();
      await reader;
      expect(readings).toBeGreaterThan(5);
      expect(torn).toBe(0);
    });

    test('a listener that was taken away hears nothing', async () => {
      const source = await fixture.connect();
      let heard = 0;
      source.onChange(() => (heard += 1))();
      const poked = pokes(source);
      await fixture.store().outsider.put('config/vips/web', '{}');
      await poked.next();
      expect(heard).toBe(0);
    });
  });
}
