import { afterAll, beforeAll, expect, it } from 'vitest';
import { REAL_ADDRESSES, answersOf, createBalancedNetwork, startWebReals } from '../lab/balanced-network.ts';
import { eventually } from '../lab/eventually.ts';
import { requireParts } from '../lab/parts.ts';
import type { LabProcess } from '../lab/process.ts';
import type { Topology } from '../lab/topology.ts';
import { WholeAgent } from '../lab/whole-agent.ts';

/*
 * From IPVS to rules of nf_tables and back, under load: by an edit, and by an edit with a restart. The table of the one
 * before is cleared when the new one has everything, and not before.
 */

const VIP = '203.0.113.10';
const { a, b } = REAL_ADDRESSES;
const FOREIGN_SERVICE = '-A -t 192.0.2.99:80 -s rr';
const FOREIGN_TABLE = 'operator';

const dataplane = (kind: 'ipvs' | 'nftables') => ({ 'agents/_default': { dataplane: kind } });
/** @param scheduler rules of nf_tables have no `sed` */
const api = (scheduler: 'sed' | 'rr') => ({
  'services/api': { vip: 'shop', match: { ports: ['81'] }, scheduler },
});
const RECORDS = {
  ...dataplane('ipvs'),
  'vips/shop': { addresses: [VIP] },
  'services/web': { vip: 'shop', match: { ports: ['80'] }, scheduler: 'wrr' },
  'services/web/reals/a': { address: a.ipv4, weight: 3 },
  'services/web/reals/b': { address: b.ipv4, weight: 1 },
  ...api('sed'),
  'services/api/reals/a': { address: a.ipv4, port: 80 },
  'services/api/reals/b': { address: b.ipv4, port: 80 },
};
const REALS = 4;
const SAVED = (scheduler: 'sed' | 'rr') =>
  [
    FOREIGN_SERVICE,
    `-A -t ${VIP}:80 -s wrr`,
    `-a -t ${VIP}:80 -r ${a.ipv4}:80 -m -w 3`,
    `-a -t ${VIP}:80 -r ${b.ipv4}:80 -m -w 1`,
    `-A -t ${VIP}:81 -s ${scheduler}`,
    `-a -t ${VIP}:81 -r ${a.ipv4}:80 -m -w 1`,
    `-a -t ${VIP}:81 -r ${b.ipv4}:80 -m -w 1`,
  ].toSorted();

/** Who answered, or that nobody did, a connection and a line each. The pauses leave the guest's only CPU to the agent. */
const LOAD = `while :; do curl -sS --max-time 60 http://${VIP}/ 2>/dev/null || echo nobody; sleep 1; done`;
/**
 * Reals of IPVS, rewriting rules of ours, and reals of IPVS once more: as they are found one after the other. The
 * kernel's own listing of IPVS takes no process; its heading is one line too many.
 */
const WATCH = `
reals() { n=-1; while read -r word rest; do [ "$word" = '->' ] && n=$((n + 1)); done </proc/net/ip_vs; }
while :; do
  reals; before=$n
  rules=$(nft list table inet vipkeeper 2>/dev/null | grep -c ' dnat ')
  reals; echo "$before $rules $n"
  sleep 1
done`;

/** A line of it. */
interface Sight {
  readonly realsBefore: number;
  readonly rules: number;
  readonly realsAfter: number;
}

let net: Topology;
let agent: WholeAgent;
let load: LabProcess;
let watch: LabProcess;

interface Listed {
  readonly table?: { readonly name: string };
  readonly chain?: { readonly table: string; readonly name: string };
}

beforeAll(async () => {
  net = await createBalancedNetwork(await requireParts(['iproute2', 'ipvsadm', 'nftables', 'curl']));
  await startWebReals(net);
  await net.node('lb').run('nft', ['add', 'table', 'inet', FOREIGN_TABLE]);
  await net.node('lb').run('ipvsadm', FOREIGN_SERVICE.split(' '));
  agent = new WholeAgent(net.node('lb'));
  agent.put(RECORDS);
  await agent.start();
  await agent.until('IPVS has everything', ({ ready, services }) => ready && services.length === 2);
  load = await net.node('client').start('sh', ['-c', LOAD]);
  watch = await net.node('lb').start('sh', ['-c', WATCH]);
});
afterAll(async () => {
  await agent.remove();
  await net.stop();
});

async function saved(): Promise<string[]> {
  return (await net.node('lb').run('ipvsadm', ['-Sn'])).trim().split('\n').toSorted();
}

/** Tables, and chains of ours for services, by nft's own JSON. */
async function ruleset(): Promise<{ readonly tables: string[]; readonly services: string[] }> {
  const { nftables } = JSON.parse(await net.node('lb').run('nft', ['-j', 'list', 'ruleset'])) as {
    readonly nftables: readonly Listed[];
  };
  const chains = nftables.flatMap(({ chain }) => (chain?.table === 'vipkeeper' ? [chain.name] : []));
  return {
    tables: nftables.flatMap(({ table }) => (table === undefined ? [] : [table.name])).toSorted(),
    services: chains.filter((name) => name.startsWith('svc/')).toSorted(),
  };
}

const linesOf = (process: LabProcess): string[] => process.log().trim().split('\n');
/** Waits until the load has got this many answers more. */
async function answered(count: number): Promise<void> {
  const before = linesOf(load).length;
  await eventually('the load goes on', () => linesOf(load).length >= before + count, { timeoutMs: 300_000 });
}
/** What was seen while something went on; the last line may not be whole yet. */
async function seenDuring(work: () => Promise<void>): Promise<Sight[]> {
  const from = linesOf(watch).length;
  await work();
  const end = linesOf(watch).length;
  await eventually('it was looked at since', () => linesOf(watch).length > end + 2, { timeoutMs: 300_000 });
  return linesOf(watch)
    .slice(from, -1)
    .map((line) => {
      const [realsBefore = NaN, rules = NaN, realsAfter = NaN] = line.split(' ').map(Number);
      return { realsBefore, rules, realsAfter };
    });
}

it('keeps the table of IPVS as long as the rules lack a service', async () => {
  const before = await saved();
  expect(before).toEqual(SAVED('sed'));
  expect(await ruleset()).toEqual({ tables: [FOREIGN_TABLE], services: [] });
  await answered(4);
  const seen = await seenDuring(async () => {
    agent.put(dataplane('nftables'));
    await agent.until('the rules cannot have everything', ({ notReady }) =>
      notReady.some((why) => why.includes('sed')),
    );
    await answered(4);
  });
  expect(await saved()).toEqual(before);
  expect(await ruleset()).toEqual({ tables: [FOREIGN_TABLE, 'vipkeeper'], services: [`svc/tcp/${VIP}/80`] });
  // What the rules do not have still goes by IPVS.
  const { a: fromA = 0, b: fromB = 0 } = await answersOf(net, [`http://${VIP}:81/`], 2);
  expect(fromA + fromB).toBe(2);
  expect(new Set(seen.flatMap(({ realsBefore, realsAfter }) => [realsBefore, realsAfter]))).toEqual(new Set([REALS]));
});

it('takes out of IPVS what is its own once the rules have everything', async () => {
  const seen = await seenDuring(async () => {
    agent.put(api('rr'));
    await agent.until('the rules have everything', ({ ready }) => ready);
  });
  expect(await saved()).toEqual([FOREIGN_SERVICE]);
  const services = [`svc/tcp/${VIP}/80`, `svc/tcp/${VIP}/81`];
  expect(await ruleset()).toEqual({ tables: [FOREIGN_TABLE, 'vipkeeper'], services });
  expect(seen.filter(({ realsBefore, rules }) => realsBefore < REALS && rules < REALS)).toEqual([]);
  expect(seen.at(-1)).toEqual({ realsBefore: 0, rules: REALS, realsAfter: 0 });
  await answered(4);
  expect(await answersOf(net, [`http://${VIP}:81/`], 2)).toEqual({ a: 1, b: 1 });
});

it('goes back with a restart, and the rules go last', async () => {
  await agent.end('SIGUSR2');
  await answered(2);
  const seen = await seenDuring(async () => {
    agent.put(dataplane('ipvs'));
    await agent.start();
    await agent.until('IPVS has everything', ({ ready, kernel }) => ready && kernel.adapter === 'ipvs');
    await eventually('the rules are gone', async () => !(await ruleset()).tables.includes('vipkeeper'), {
      timeoutMs: 300_000,
    });
  });
  expect(await saved()).toEqual(SAVED('rr'));
  expect(await ruleset()).toEqual({ tables: [FOREIGN_TABLE], services: [] });
  expect(seen.filter(({ rules, realsAfter }) => rules < REALS && realsAfter < REALS)).toEqual([]);
  expect(seen.at(-1)).toEqual({ realsBefore: REALS, rules: 0, realsAfter: REALS });
  await answered(8);
});

it('lost no connection but those that were open when the way changed', async () => {
  await load.kill();
  const lines = linesOf(load);
  const count = (answer: string): number => lines.filter((line) => line === answer).length;
  expect(count('a') + count('b') + count('nobody')).toBe(lines.length);
  expect(count('nobody')).toBeLessThanOrEqual(2);
  expect(count('a')).toBeGreaterThan(count('b'));
});
