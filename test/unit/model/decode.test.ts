import { describe, expect, it } from 'vitest';
import { checkCatalog } from '../../../src/checks/decode.ts';
import type { CheckCatalog } from '../../../src/model/check-definition.ts';
import { RecordDecoder } from '../../../src/model/decode.ts';
import type { DecodeOutcome } from '../../../src/model/record-set.ts';
import { SHOP, creationOf, decoded, rawRecords } from '../../fakes/records.ts';
import type { StoreContent } from '../../fakes/records.ts';

const good = decoded(SHOP);
/** The store after an edit, with everything that was good before. */
const after = (content: StoreContent): DecodeOutcome =>
  decoded(content, { created: creationOf(SHOP), previous: good.good });
const without = (...paths: readonly string[]): StoreContent =>
  Object.fromEntries(Object.entries(SHOP).filter(([path]) => !paths.includes(path)));
const complaints = ({ problems }: DecodeOutcome): string[] =>
  problems.map(({ path, field, effect }) => `${path}${field === '' ? '' : `: ${field}`} (${effect})`);
const realsOf = ({ records }: DecodeOutcome): string[] => [...(records.reals.get('web')?.keys() ?? [])];

describe('records of a store', () => {
  it('are found by kind and name, with where and when they come from', () => {
    expect(good.problems).toEqual([]);
    expect(good.records.services.get('web')).toMatchObject({
      name: 'web',
      path: 'config/services/web',
      created: 3n,
      modified: 3n,
      value: { scheduler: 'wlc', quorum: { reals: 1 } },
    });
    expect(realsOf(good)).toEqual(['a', 'b', 'c']);
    expect([...good.good.keys()].sort()).toEqual(
      Object.keys(SHOP)
        .map((path) => `config/${path}`)
        .sort(),
    );
  });

  it('keep what people note in their bytes, not in their values', () => {
    const noted = decoded({ ...SHOP, 'vips/noted': { addresses: ['192.0.2.99'], _meta: { owner: 'ana' } } });
    expect(noted.problems).toEqual([]);
    expect(noted.records.vips.get('noted')?.value).toMatchObject({ addresses: ['192.0.2.99'], _meta: undefined });
    expect(Buffer.from(noted.good.get('config/vips/noted')?.bytes ?? []).toString()).toContain('ana');
  });

  it('are those of the last reading, also where an earlier one said the same', () => {
    const decoder = new RecordDecoder(checkCatalog);
    const first = decoder.decode(rawRecords(SHOP), new Map());
    const reading = rawRecords(SHOP);
    const second = decoder.decode(reading, first.good);
    expect(second.touched).toEqual(new Set());
    // Else both readings would be kept, bytes and all.
    for (const [path, raw] of second.good) expect(raw).toBe(reading.get(path));
    expect(second.records.services.get('web')?.value).toBe(first.records.services.get('web')?.value);
  });

  it('touch their service for as long as they are bad, and when they were made anew with the same bytes', () => {
    const decoder = new RecordDecoder(checkCatalog);
    const bad = { ...SHOP, 'services/web/reals/a': { address: 'nowhere' } };
    const first = decoder.decode(rawRecords(bad), new Map());
    const second = decoder.decode(rawRecords(bad), first.good);
    expect(second.touched).toEqual(new Set(['web']));
    const path = 'config/services/web/reals/b';
    const old = rawRecords(bad).get(path);
    if (old === undefined) throw new Error('there is no such real');
    const anew = rawRecords(SHOP).set(path, { ...old, created: 99n });
    const third = decoder.decode(anew, decoder.decode(rawRecords(SHOP), second.good).good);
    expect(third.touched).toEqual(new Set(['web']));
    expect(third.records.reals.get('web')?.get('b')?.created).toBe(99n);
  });

  it('have their creation and their last change from the store', () => {
    const bytes = Buffer.from('{"addresses":["192.0.2.1"]}');
    const raw = { path: 'config/vips/a', bytes, created: 5n, modified: 9n };
    const { records } = new RecordDecoder(checkCatalog).decode(new Map([[raw.path, raw]]), new Map());
    expect(records.vips.get('a')).toMatchObject({ name: 'a', path: raw.path, created: 5n, modified: 9n });
  });

  it('may lie between folders, which say nothing', () => {
    const outcome = decoded({ ...SHOP, vips: '', 'services/web/reals': '', 'agents/lb1': '' });
    expect(outcome.problems).toEqual([]);
    expect(outcome.records.agents.size).toBe(0);
  });

  it('of unknown places are named and left alone', () => {
    expect(complaints(decoded({ ...SHOP, 'vip/web': {}, 'services/web/notes/a': {} }))).toEqual([
      'config/vip/web (ignored)',
      'config/services/web/notes/a (ignored)',
    ]);
  });

  it('approve a revision with and without its prefix', () => {
    const digits = 'ab'.repeat(32);
    const { records } = decoded({ [`approvals/${digits}`]: { by: 'ana' } });
    expect([...records.approvals.keys()]).toEqual([`sha256:${digits}`]);
    const prefixed = decoded({ [`approvals/sha256:${digits}`]: { by: 'ana', why: 'meant' } });
    expect(prefixed.records.approvals.get(`sha256:${digits}`)?.value).toEqual({ by: 'ana', why: 'meant' });
  });
});

describe('a bad record', () => {
  it('that was never good is left out', () => {
    const outcome = decoded({ ...SHOP, 'services/web/reals/d': '{"address":' });
    expect(complaints(outcome)).toEqual(['config/services/web/reals/d (ignored)']);
    expect(realsOf(outcome)).toEqual(['a', 'b', 'c']);
  });

  it('that was good before stays as it was, and stays so over many looks', () => {
    const broken = { ...SHOP, 'services/web/reals/a': { address: '10.0.0.1', weight: -5 } };
    let previous = good.good;
    for (let look = 0; look < 3; look++) {
      const outcome = decoded(broken, { previous });
      expect(complaints(outcome)).toEqual(['config/services/web/reals/a: weight (last good version stays)']);
      expect(outcome.records.reals.get('web')?.get('a')?.value.weight).toBe(10);
      expect(outcome.good.get('config/services/web/reals/a')).toBe(good.good.get('config/services/web/reals/a'));
      previous = outcome.good;
    }
  });

  it('is judged anew when it is mended', () => {
    const broken = after({ ...SHOP, 'services/web/reals/a': '?' });
    const mended = decoded(
      { ...SHOP, 'services/web/reals/a': { address: '10.0.0.1', weight: 3 } },
      { previous: broken.good },
    );
    expect(mended.problems).toEqual([]);
    expect(mended.records.reals.get('web')?.get('a')?.value.weight).toBe(3);
  });

  it('that is deleted is gone, with its last good version', () => {
    const broken = after({ ...SHOP, 'services/web/reals/a': '?' });
    const outcome = decoded(without('services/web/reals/a'), { previous: broken.good });
    expect(realsOf(outcome)).toEqual(['b', 'c']);
    expect(outcome.problems).toEqual([]);
  });

  it('counts in the revision, for approvals are of what the store holds', () => {
    const broken = after({ ...SHOP, 'services/web/reals/a': '?' });
    expect(broken.revision).not.toBe(good.revision);
    expect(after(SHOP).revision).toBe(good.revision);
  });
});

describe('absence', () => {
  it('of a service with reals: what was in force stays', () => {
    const outcome = after(without('services/web'));
    expect(complaints(outcome)).toEqual(['config/services/web (last good version stays)']);
    expect(outcome.records.services.get('web')?.value).toEqual(good.records.services.get('web')?.value);
    expect(realsOf(outcome)).toEqual(['a', 'b', 'c']);
    // An emptied value is a folder, which is absence too.
    expect(complaints(after({ ...SHOP, 'services/web': '' }))).toEqual(complaints(outcome));
  });

  it('of a service that never was leaves its reals out', () => {
    const outcome = decoded({ ...SHOP, 'services/api/reals/a': { address: '10.0.0.1' } });
    expect(complaints(outcome)).toEqual(['config/services/api/reals/a (ignored)']);
    expect(outcome.records.reals.has('api')).toBe(false);
    expect(outcome.good.has('config/services/api/reals/a')).toBe(false);
  });

  it('of a service with all its reals is a deletion', () => {
    const outcome = after(Object.fromEntries(Object.entries(SHOP).filter(([path]) => !path.startsWith('services/'))));
    expect(outcome.problems).toEqual([]);
    expect(outcome.records.services.size).toBe(0);
  });

  it('of a check or a VIP that is referred to: what was in force stays', () => {
    const outcome = after(without('checks/ok', 'vips/shop'));
    expect(complaints(outcome)).toEqual([
      'config/vips/shop (last good version stays)',
      'config/checks/ok (last good version stays)',
    ]);
    expect(outcome.records.checks.get('ok')?.value.type).toBe('tcp');
    expect([...decoded(without('checks/ok', 'vips/shop'), { previous: outcome.good }).records.checks.keys()]).toEqual([
      'ok',
    ]);
  });

  it('of a check that a service refers to which stays itself', () => {
    const outcome = after(without('services/web', 'checks/ok', 'vips/shop'));
    expect([...outcome.records.checks.keys()]).toEqual(['ok']);
    expect([...outcome.records.vips.keys()]).toEqual(['shop']);
  });

  it('of a check that nothing refers to is a deletion', () => {
    const spare = decoded({ ...SHOP, 'checks/spare': { type: 'tcp' } });
    const outcome = decoded(SHOP, { previous: spare.good });
    expect(outcome.problems).toEqual([]);
    expect([...outcome.records.checks.keys()]).toEqual(['ok']);
  });

  it('of everything is nothing, without a problem', () => {
    const outcome = after({});
    expect(outcome.problems).toEqual([]);
    expect(outcome.good.size).toBe(0);
  });
});

describe('decoding again', () => {
  function counting(): { readonly catalog: CheckCatalog; readonly count: () => number } {
    let count = 0;
    const decode: CheckCatalog['decode'] = (record) => {
      count++;
      return checkCatalog.decode(record);
    };
    return { catalog: { ...checkCatalog, decode }, count: () => count };
  }

  const checks = (edited = 0) =>
    rawRecords(
      Object.fromEntries(
        Array.from({ length: 50 }, (_, index) => [
          `checks/c${index}`,
          { type: 'tcp', _meta: { edited: index === 7 ? edited : 0 } },
        ]),
      ),
    );

  it('parses only what changed', () => {
    const { catalog, count } = counting();
    const decoder = new RecordDecoder(catalog);
    const first = decoder.decode(checks(), new Map());
    expect(count()).toBe(50);
    decoder.decode(checks(), first.good);
    expect(count()).toBe(50);
    decoder.decode(checks(1), first.good);
    expect(count()).toBe(51);
  });

  it('parses a bad record and its last good version once', () => {
    const { catalog, count } = counting();
    const decoder = new RecordDecoder(catalog);
    const records = (value: unknown) => rawRecords({ 'checks/ok': value, 'services/web': SHOP['services/web'] });
    let { good: previous } = decoder.decode(records({ type: 'tcp' }), new Map());
    for (let look = 0; look < 4; look++) {
      const outcome = decoder.decode(records({ type: 'tpc' }), previous);
      expect(outcome.records.checks.get('ok')?.value.type).toBe('tcp');
      previous = outcome.good;
    }
    expect(count()).toBe(3);
  });

  it('believes no unchanged revision with changed bytes', () => {
    const decoder = new RecordDecoder(checkCatalog);
    const records = (weight: number) =>
      rawRecords({ ...SHOP, 'services/web/reals/a': { address: '10.0.0.1', weight } });
    decoder.decode(records(1), new Map());
    expect(decoder.decode(records(2), new Map()).records.reals.get('web')?.get('a')?.value.weight).toBe(2);
  });
});
