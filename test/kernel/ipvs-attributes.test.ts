import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane } from '../../src/ipvs/create-dataplane.ts';
import type { Dataplane } from '../../src/ipvs/dataplane.ts';
import { ATTRIBUTE_ROWS, attributeRecords, otherAttributeRecords } from '../contract/attribute-rows.ts';
import type { AttributeRow } from '../contract/attribute-rows.ts';
import { Director } from '../lab/director.ts';
import { witnessTable } from '../lab/ipvsadm-witness.ts';
import type { WitnessTable } from '../lab/ipvsadm-witness.ts';

const run = promisify(execFile);
const deps = { clock: systemClock, log: silentLog };

/** What ipvsadm says is in the table: the one witness that shares no code with us. */
interface Witness {
  /** Lines of `ipvsadm --save --numeric`. */
  readonly saved: readonly string[];
  readonly table: WitnessTable;
}

async function witness(): Promise<Witness> {
  const { stdout: saved } = await run('ipvsadm', ['--save', '--numeric']);
  const { stdout: thresholds } = await run('ipvsadm', ['--list', '--numeric', '--thresholds']);
  return { saved: saved.trim().split('\n'), table: witnessTable(saved, thresholds) };
}

const namesOf = ({ vip4, vip6, saved }: AttributeRow): string[] => {
  const [, mark] = /-f (\S+)/.exec(saved[0] ?? '') ?? [];
  return mark === undefined ? [` ${vip4}:`, ` [${vip6}]:`] : [` -f ${mark} `];
};

function linesOf(row: AttributeRow, lines: readonly string[]): string[] {
  return lines.filter((line) => namesOf(row).some((name) => line.includes(name))).toSorted();
}

/** Those that are set, by real. */
function thresholdsOf(row: AttributeRow, table: WitnessTable): Record<string, string> {
  const own = [...table].filter(([words]) => namesOf(row).some((name) => ` ${words} `.includes(name)));
  const all = own.flatMap(([, { reals }]) => [...reals].map(([address, { thresholds }]) => [address, thresholds]));
  return Object.fromEntries(all.filter(([, pair]) => pair !== '0 0')) as Record<string, string>;
}

const kindsOf = (ops: readonly { readonly kind: string }[]): string[] =>
  [...new Set(ops.map(({ kind }) => kind))].sort();

describe.each(['ipvs', 'ipvsadm'] as const)('every attribute through %s', (kind) => {
  let dataplane: Dataplane;
  let director: Director;
  let seen: Witness;
  beforeAll(async () => {
    await run('ipvsadm', ['--clear']);
    dataplane = createDataplane(kind, deps);
    director = new Director(dataplane);
    await director.pass(attributeRecords());
    seen = await witness();
  });
  afterAll(() => dataplane.close());

  it.each(ATTRIBUTE_ROWS)('$what', (row) => {
    expect(linesOf(row, seen.saved)).toEqual(row.saved.toSorted());
    expect(thresholdsOf(row, seen.table)).toEqual(row.thresholds);
  });

  it('sets nothing else, and finds nothing to change in what it reads back', async () => {
    expect(seen.saved).toHaveLength(ATTRIBUTE_ROWS.reduce((sum, { saved }) => sum + saved.length, 0));
    expect((await director.pass(attributeRecords())).ops).toEqual([]);
  });

  it('reads what a memory dataplane holds after the same pass', async () => {
    const memory = createDataplane('memory', deps);
    await new Director(memory).pass(attributeRecords());
    expect(await configured(dataplane)).toEqual(await configured(memory));
  });

  it('changes every attribute there and back in place, without a delete or an add', async () => {
    const there = await director.pass(otherAttributeRecords());
    expect(kindsOf(there.ops)).toEqual(['editDestination', 'editService']);
    const other = await witness();
    expect(other.saved).toHaveLength(seen.saved.length);
    expect(other.saved.filter((line) => seen.saved.includes(line))).toEqual([]);
    const back = await director.pass(attributeRecords());
    expect(kindsOf(back.ops)).toEqual(['editDestination', 'editService']);
    expect(back.ops).toHaveLength(there.ops.length);
    expect(await witness()).toEqual(seen);
  });
});

describe('the paper on IPVS', () => {
  it('has every option that ipvsadm has', async () => {
    const { stdout } = await run('ipvsadm', ['--help']);
    const options = new Set(Array.from(stdout.matchAll(/--[a-z][a-z0-9-]+/g), ([option]) => option));
    expect(options.size).toBeGreaterThan(40);
    const paper = await readFile(new URL('../../docs/ipvs.md', import.meta.url), 'utf8');
    expect([...options].filter((option) => !paper.includes(`\`${option}`) && !paper.includes(` ${option}`))).toEqual(
      [],
    );
  });
});

/** A table without its counters. */
async function configured(dataplane: Dataplane): Promise<unknown> {
  const state = await dataplane.read();
  if (!state.ok) throw state.error;
  return new Map(
    Array.from(state.value, ([key, { service, destinations }]) => {
      const reals = new Map(Array.from(destinations, ([name, { destination }]) => [name, destination]));
      return [key, { service, reals }];
    }),
  );
}
