import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import type { InterfaceAddresses } from '../../src/ipvs/addresses.ts';
import { createDataplane, createInterfaceAddresses } from '../../src/ipvs/create-dataplane.ts';
import type { Dataplane } from '../../src/ipvs/dataplane.ts';
import { runs } from '../fakes/property.ts';
import { Director } from '../lab/director.ts';
import type { DirectorPass } from '../lab/director.ts';
import { witnessTable } from '../lab/ipvsadm-witness.ts';
import type { WitnessTable } from '../lab/ipvsadm-witness.ts';
import {
  FOREIGN,
  FOREIGN_ADDRESSES,
  INTERFACE,
  addressesOf,
  fewestOps,
  meddled,
  recordsOf,
  stepArbitrary,
  tableOf,
} from './convergence-model.ts';
import type { Step } from './convergence-model.ts';

const run = promisify(execFile);
const deps = { clock: systemClock, log: silentLog };
const STEPS = 12;
/** 60 steps in `npm test`, 1,020 in `npm run test:long`, each of which takes half a second in a guest. */
const { numRuns, seed } = runs(5);
const SETTINGS = { numRuns: Math.min(numRuns, 85), seed };
const TIMEOUT_MS = SETTINGS.numRuns * STEPS * 2_000;

interface Seen {
  readonly ours: WitnessTable;
  readonly foreign: WitnessTable;
  readonly addresses: ReadonlySet<string>;
}

const foreignTable = witnessTable(FOREIGN.join('\n'), '');

/** One shell for all: starting a process is what takes time in a guest. */
async function look(): Promise<Seen> {
  const commands = [
    'ipvsadm --save --numeric',
    'ipvsadm --list --numeric --thresholds',
    `ip -oneline address show dev ${INTERFACE} scope global`,
  ];
  const { stdout } = await run('sh', ['-ec', commands.join('; echo =====; ')]);
  const [saved = '', thresholds = '', addresses = ''] = stdout.split('=====\n');
  const table = [...witnessTable(saved, thresholds)];
  return {
    ours: new Map(table.filter(([name]) => !foreignTable.has(name))),
    foreign: new Map(table.filter(([name]) => foreignTable.has(name))),
    addresses: new Set(Array.from(addresses.matchAll(/ inet6? ([^/ ]+)\/(?:32|128) /g), ([, address = '']) => address)),
  };
}

describe('random wishes against the kernel', () => {
  let dataplane: Dataplane;
  let addresses: InterfaceAddresses;
  beforeAll(() => {
    dataplane = createDataplane('ipvs', deps);
    addresses = createInterfaceAddresses('ipvs', deps);
  });
  afterAll(async () => {
    await dataplane.close();
    await addresses.close();
    await run('sh', ['-c', `ipvsadm --clear; ip link delete ${INTERFACE}`]);
  });

  async function startOver(): Promise<void> {
    const lines = FOREIGN.map((line) => `echo '${line}'`).join('; ');
    const foreign = FOREIGN_ADDRESSES.map((address) => `ip address add ${address}/32 dev ${INTERFACE}`);
    const link = [`ip link delete ${INTERFACE} 2>/dev/null || true`, `ip link add ${INTERFACE} type dummy`];
    const script = [`ipvsadm --clear`, `(${lines}) | ipvsadm --restore`, ...link, ...foreign];
    await run('sh', ['-ec', [...script, `ip link set ${INTERFACE} up`].join('\n')]);
  }

  async function take(director: Director, step: Step, seen: Seen): Promise<Seen> {
    if (step.restart) director.restart();
    const meddling = meddled(seen.ours, step.meddling);
    if (meddling !== null) await run('ipvsadm', meddling.words);
    const before = meddling?.table ?? seen.ours;
    const content = recordsOf(step);
    const table = tableOf(step);
    const expected = fewestOps(before, table);
    const passes: DirectorPass[] = [];
    const again = async (): Promise<number> => {
      const pass = await director.pass(content);
      passes.push(pass);
      return pass.ops.length;
    };
    // At once, nothing more at once, what has left since, and nothing more at all.
    const counts = [await again(), await again()];
    director.wait(1);
    counts.push(await again(), await again());
    expect(counts).toEqual([expected.atOnce, 0, expected.then, 0]);
    const wanted = addressesOf(step);
    const changed = [...wanted, ...seen.addresses].filter((one) => !wanted.has(one) || !seen.addresses.has(one));
    expect(passes.reduce((sum, { addressOps }) => sum + addressOps.length, 0)).toBe(changed.length);
    expect(new Set(passes.flatMap(({ foreign }) => foreign))).toEqual(
      new Set(['tcp|198.51.100.1|22', 'fwmark|ipv6|99']),
    );
    const now = await look();
    expect(now).toEqual({ ours: table, foreign: foreignTable, addresses: wanted });
    return now;
  }

  it(
    'converge in one pass, with as many operations as there are differences, and touch nothing foreign',
    { timeout: TIMEOUT_MS },
    async () => {
      await fc.assert(
        fc.asyncProperty(fc.array(stepArbitrary, { minLength: STEPS, maxLength: STEPS }), async (steps) => {
          await startOver();
          const director = new Director(dataplane, addresses);
          let seen = await look();
          expect(seen.foreign).toEqual(foreignTable);
          for (const step of steps) seen = await take(director, step, seen);
        }),
        // Each try of a smaller case takes as long as the case; the seed is enough to see it again.
        { ...SETTINGS, endOnFailure: true },
      );
    },
  );
});
