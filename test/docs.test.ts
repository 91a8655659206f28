import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { AGENT_STATE_EXAMPLE, HEALTH_EXAMPLE, RECORD_EXAMPLES } from '../docs/record-examples.ts';
import { referencePages } from '../docs/reference-pages.ts';
import { RECORDS } from '../docs/record-table.ts';
import { desiredState } from '../src/agent/policy/desired.ts';
import { CHECK_TYPES } from '../src/checks/catalog.ts';
import { checkCatalog } from '../src/checks/decode.ts';
import { ERROR_CODES } from '../src/core/errors.ts';
import { loadBootstrap } from '../src/agent/bootstrap-file.ts';
import { RecordDecoder } from '../src/model/decode.ts';
import type { RawRecord } from '../src/model/record-set.ts';
import { AgentRecord, HealthRecord } from '../src/model/records/state.ts';
import { validatorOf } from '../src/model/validate.ts';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const reference = join(root, 'docs/reference');

function filesUnder(folder: string): readonly string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((name) => statSync(join(folder, name)).isFile())
    .sort();
}

describe('the reference', () => {
  const pages = referencePages(readFileSync(join(root, 'bootstrap.example.json'), 'utf8'));

  it('has exactly the pages that the sources make ("npm run docs" writes them)', () => {
    expect(filesUnder(reference)).toEqual([...pages.keys()].sort());
    expect(pages.size).toBeGreaterThan(15);
  });

  it.each([...pages])('%s says what the sources say ("npm run docs" writes it)', (path, text) => {
    expect(readFileSync(join(reference, path), 'utf8')).toBe(text);
  });

  it('explains every error code', () => {
    const page = pages.get('errors.md') ?? '';
    for (const code of Object.keys(ERROR_CODES)) expect(page).toContain(`\`${code}\``);
  });

  it('describes every field that operators may write', () => {
    for (const name of ['records.md', 'checks.md', 'bootstrap.md']) {
      const rows = (pages.get(name) ?? '')
        .split('\n')
        .filter((line) => line.startsWith('| `') && line.split(' | ').length > 4);
      expect(rows.length, name).toBeGreaterThan(10);
      for (const row of rows) expect(row, row).toMatch(/[^| ] +\|$/);
    }
  });
});

describe('the examples', () => {
  const records = new Map(
    Object.entries(RECORD_EXAMPLES).map(([path, value], index): [string, RawRecord] => {
      return [
        path,
        { path, bytes: Buffer.from(JSON.stringify(value)), created: BigInt(index), modified: BigInt(index) },
      ];
    }),
  );

  it('are all valid, alone and together', () => {
    const decoded = new RecordDecoder(checkCatalog).decode(records, new Map());
    expect(decoded.problems).toEqual([]);
    expect(decoded.good.size).toBe(Object.keys(RECORD_EXAMPLES).length);
    const { desired, problems } = desiredState(decoded.records, 'lb1', null, decoded.revision);
    expect(problems).toEqual([]);
    expect(Object.keys(desired.services)).toEqual(['web-https']);
  });

  it('show every kind of record', () => {
    for (const { path, examples } of RECORDS) expect(examples.length, path).toBeGreaterThan(0);
  });

  it.each(CHECK_TYPES.map(({ type, example }) => [type, example] as const))(
    'of the check %s is valid',
    (_type, example) => {
      expect(checkCatalog.decode({ ...example })).toMatchObject({ ok: true });
    },
  );

  it('of the state records are what agents write', () => {
    expect(validatorOf(HealthRecord)(HEALTH_EXAMPLE)).toMatchObject({ ok: true });
    expect(validatorOf(AgentRecord)(AGENT_STATE_EXAMPLE)).toMatchObject({ ok: true });
  });

  it('of the bootstrap file is valid', () => {
    expect(loadBootstrap(join(root, 'bootstrap.example.json'))).toMatchObject({ ok: true, value: { agent: 'lb1' } });
  });
});

describe('the packages', () => {
  const locked = JSON.parse(readFileSync(join(root, 'package-lock.json'), 'utf8')) as {
    packages: Readonly<Record<string, { readonly dev?: boolean; readonly engines?: { readonly node?: string } }>>;
  };

  it('that the agent runs with take the oldest Node that we ask for', () => {
    const oldest = 20;
    expect(locked.packages['']?.engines?.node).toBe(`>=${oldest}`);
    const newer = Object.entries(locked.packages).filter(([, { dev, engines }]) => {
      if (dev === true || engines?.node === undefined) return false;
      // "^18 || >=20", "*", ">= 0.6", ">=20.19.0"
      return engines.node.split('||').every((range) => {
        const [, major = 0, minor = 0] = /(\d+)(?:\.(\d+))?/.exec(range) ?? [];
        return Number(major) > oldest || (Number(major) === oldest && Number(minor) > 0);
      });
    });
    expect(newer).toEqual([]);
  });
});

describe('links between the papers', () => {
  const papers = ['README.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docker/README.md'];
  const all = [
    ...papers,
    ...filesUnder(join(root, 'docs'))
      .filter((name) => name.endsWith('.md'))
      .map((name) => `docs/${name}`),
  ];

  it.each(all)('%s points at what exists', (paper) => {
    const text = readFileSync(join(root, paper), 'utf8');
    for (const [, target = ''] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^(https?:|#)/.test(target)) continue;
      const file = join(root, dirname(paper), target.replace(/#.*$/, ''));
      expect(() => statSync(file), `${paper} → ${relative(root, file)}`).not.toThrow();
    }
  });
});
