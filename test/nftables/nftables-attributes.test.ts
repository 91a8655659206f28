import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane } from '../../src/ipvs/create-dataplane.ts';
import { ATTRIBUTE_ROWS, attributeRecords } from '../contract/attribute-rows.ts';
import type { AttributeRow } from '../contract/attribute-rows.ts';
import { Director } from '../lab/director.ts';
import { witnessTable } from '../lab/ipvsadm-witness.ts';
import { nftServices } from '../lab/nft-witness.ts';
import type { NftService } from '../lab/nft-witness.ts';
import { runToEnd } from '../lab/process.ts';

/*
 * The same rows as IPVS has, by rules: whatever ipvsadm would say of a service, `nft -j list ruleset` must come to the
 * same, and what no rule can do is refused.
 */

const dataplane = createDataplane('nftables', { clock: systemClock, log: silentLog });

/** What rules can do, in the words of ipvsadm. */
function isAble({ saved, thresholds }: AttributeRow): boolean {
  const services = saved.filter((line) => line.startsWith('-A '));
  const reals = saved.filter((line) => line.startsWith('-a '));
  return (
    services.every((line) => / -s (rr|wrr|lc|wlc|sh|fo)\b/.test(line) && !/ -o\b| --pe /.test(line)) &&
    reals.every((line) => line.includes(' -m ')) &&
    Object.keys(thresholds).length === 0
  );
}

const ABLE = ATTRIBUTE_ROWS.filter(isAble);
const UNABLE = ATTRIBUTE_ROWS.filter((row) => !isAble(row));

/** What rules have to do for these lines of ipvsadm. */
function wantedBy(row: AttributeRow): Map<string, NftService> {
  return new Map(
    Array.from(witnessTable(row.saved.join('\n'), ''), ([name, { words, reals }]) => {
      const timeout = / -p (\d+)/.exec(` ${words}`)?.[1];
      const shares = Array.from(reals, ([real, { words: of }]): [string, number] => [
        real,
        of.endsWith('-w 0') ? 0 : 1,
      ]);
      return [name, { timeout: timeout === undefined ? null : Number(timeout), reals: new Map(shares) }];
    }),
  );
}

describe('every attribute that rules of nf_tables can have', () => {
  let seen: Map<string, NftService>;
  beforeAll(async () => {
    await runToEnd('nft', ['flush', 'ruleset']);
    await new Director(dataplane).pass(attributeRecords(ABLE));
    seen = nftServices(await runToEnd('nft', ['--json', '--numeric-protocol', 'list', 'ruleset']));
  });

  it.each(ABLE)('$what', (row) => {
    const wanted = wantedBy(row);
    expect(wanted.size).toBeGreaterThan(0);
    expect(new Map([...wanted.keys()].map((name) => [name, seen.get(name)]))).toEqual(wanted);
  });

  it('is all that is there', () => {
    expect(seen.size).toBe(ABLE.reduce((sum, row) => sum + wantedBy(row).size, 0));
  });
});

describe('what rules of nf_tables cannot do', () => {
  beforeEach(() => runToEnd('nft', ['flush', 'ruleset']));
  afterAll(() => dataplane.close());

  it.each(UNABLE)('is refused, with what is allowed: $what', async (row) => {
    await expect(new Director(dataplane).pass(attributeRecords([row]))).rejects.toThrow(
      /nftables (has no|cannot) .*allowed: /,
    );
  });
});
