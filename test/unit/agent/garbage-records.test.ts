import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { desiredState } from '../../../src/agent/policy/desired.ts';
import { effectiveState } from '../../../src/agent/policy/effective.ts';

import { emptyMemory } from '../../../src/agent/policy/health-memory.ts';
import { prepare } from '../../../src/agent/policy/prepared.ts';
import { wantedChecks } from '../../../src/agent/policy/wanted-checks.ts';
import { runs } from '../../fakes/property.ts';
import { SHOP, creationOf, decoded, serviceIn } from '../../fakes/records.ts';
import type { StoreContent } from '../../fakes/records.ts';

const NAMES = ['web', 'a', 'ok', 'lb1', 'shop', 'constructor', '__proto__', '_default', 'x'.repeat(64), 'ö', 'a b', ''];
const FOLDERS = ['vips', 'services', 'checks', 'agents', 'drains', 'approvals', 'service', ''];

const badPath = fc.oneof(
  fc.tuple(fc.constantFrom(...FOLDERS), fc.constantFrom(...NAMES)).map(([folder, name]) => `${folder}/${name}`),
  fc
    .tuple(fc.constantFrom(...NAMES), fc.constantFrom(...NAMES))
    .map(([service, real]) => `services/${service}/reals/${real}`),
  fc.string({ maxLength: 30 }),
);

/** Values as a hand or a broken tool would write them: nearly right ones, any JSON, and what is no JSON. */
const FIELDS = [
  'vip',
  'match',
  'ports',
  'addresses',
  'address',
  'port',
  'weight',
  'type',
  'forward',
  'agents',
  'labels',
  'bgp',
  'target',
  'quorum',
  'health',
];
const nearly = fc.dictionary(
  fc.oneof(fc.constantFrom(...FIELDS), fc.string({ maxLength: 6 })),
  fc.oneof(
    fc.constantFrom<unknown>(
      'shop',
      '192.0.2.10',
      '10.0.0.1',
      ['80'],
      { ports: ['80'] },
      'tcp',
      { fwmark: 1 },
      'web/a',
      {},
      null,
    ),
    fc.jsonValue({ maxDepth: 3 }),
  ),
  { maxKeys: 5 },
);
const badValue = fc.oneof(
  nearly,
  fc.jsonValue(),
  fc.string(),
  fc.constantFrom(
    '',
    '{',
    '[]',
    'null',
    '{"a":1,"a":2}',
    '['.repeat(5_000),
    `{"x":"${'y'.repeat(70_000)}"}`,
    '{"__proto__":{}}',
  ),
);
const garbage = fc.dictionary(badPath, badValue, { maxKeys: 12 });

function everything(content: StoreContent) {
  const { records, problems, revision } = decoded(content, { created: creationOf(SHOP) });
  const built = desiredState(records, 'lb1', null, revision);
  wantedChecks(prepare(built.desired));
  const effective = effectiveState({
    prepared: prepare(built.desired),
    verdicts: new Map(),
    memory: emptyMemory,
    actual: null,
    now: 0,
    monotonic: 0,
  });
  return { desired: built.desired, problems: [...problems, ...built.problems], effective: effective.effective };
}

describe('any store content', () => {
  it('is read without an exception, and every problem says what and where', () => {
    fc.assert(
      fc.property(garbage, (content) => {
        for (const problem of everything(content).problems) {
          expect(problem.path.length, JSON.stringify(problem)).toBeGreaterThan(0);
          expect(problem.found.length, JSON.stringify(problem)).toBeGreaterThan(0);
          expect(problem.allowed.length, JSON.stringify(problem)).toBeGreaterThan(0);
        }
      }),
      runs(300),
    );
  });

  it('never harms the sound records beside it', () => {
    const sound = everything(SHOP);
    const taken = new Set(Object.keys(SHOP));
    // Records that are newer and elsewhere: they may be wrong, or fight for what the sound ones have, and lose.
    const elsewhere = (path: string): boolean =>
      !taken.has(path) &&
      !path.startsWith('agents/') &&
      !path.startsWith('drains/') &&
      !path.startsWith('services/web/');
    fc.assert(
      fc.property(garbage, (content) => {
        const others = Object.fromEntries(Object.entries(content).filter(([path]) => elsewhere(path)));
        const { desired, effective } = everything({ ...SHOP, ...others });
        expect(serviceIn(desired, 'web')).toEqual(serviceIn(sound.desired, 'web'));
        expect(effective.kernel.get('tcp|192.0.2.10|80' as never)).toEqual(
          sound.effective.kernel.get('tcp|192.0.2.10|80' as never),
        );
      }),
      runs(300),
    );
  });

  it('never takes away a record that was good, as long as its record is there', () => {
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(SHOP)), badValue, (path, value) => {
        const before = decoded(SHOP);
        const good = desiredState(before.records, 'lb1', null, before.revision).desired;
        const bytes = typeof value === 'string' ? value : JSON.stringify(value);
        fc.pre(bytes.length > 0);
        const after = decoded({ ...SHOP, [path]: bytes }, { previous: before.good });
        const { desired } = desiredState(after.records, 'lb1', good, after.revision);
        expect(Object.keys(desired.services)).toEqual(['web']);
        expect(Object.keys(serviceIn(desired, 'web').reals)).toEqual(['a', 'b', 'c']);
      }),
      runs(300),
    );
  });
});
