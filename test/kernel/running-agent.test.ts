import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { StatusView, TrafficView } from '../../src/model/status.ts';
import type { VerificationView } from '../../src/model/verification.ts';
import { REAL_ADDRESSES, answersOf, createBalancedNetwork, startWebReals } from '../lab/balanced-network.ts';
import { eventually } from '../lab/eventually.ts';
import { witnessColumns } from '../lab/ipvsadm-witness.ts';
import type { LabProcess } from '../lab/process.ts';
import type { Topology } from '../lab/topology.ts';
import { WholeAgent } from '../lab/whole-agent.ts';

/* A whole agent with traffic through it: what it says of itself, and what it does, is what ipvsadm says. */

const VIP = '203.0.113.10';
const { a, b } = REAL_ADDRESSES;
const RECORDS = {
  'agents/_default': { dataplane: 'ipvs' },
  'vips/shop': { addresses: [VIP] },
  'services/web': { vip: 'shop', match: { ports: ['80'] }, scheduler: 'wrr' },
  'services/web/reals/a': { address: a.ipv4, weight: 3 },
  'services/web/reals/b': { address: b.ipv4, weight: 1 },
  'services/sticky': { vip: 'shop', match: { ports: ['81'] }, persistence: { timeout: '60s' } },
  'services/sticky/reals/a': { address: a.ipv4, port: 80 },
  'services/sticky/reals/b': { address: b.ipv4, port: 80 },
};
/** What ipvsadm calls them. */
const ENTRIES = {
  web: `TCP ${VIP}:80`,
  'web/a': `TCP ${VIP}:80 ${a.ipv4}:80`,
  'web/b': `TCP ${VIP}:80 ${b.ipv4}:80`,
  sticky: `TCP ${VIP}:81`,
  'sticky/a': `TCP ${VIP}:81 ${a.ipv4}:80`,
  'sticky/b': `TCP ${VIP}:81 ${b.ipv4}:80`,
};
type Name = keyof typeof ENTRIES;
const NAMES = Object.keys(ENTRIES) as Name[];

const TOTALS = ['connections', 'inPackets', 'outPackets', 'inBytes', 'outBytes'] as const;
const TOTAL_METRICS = ['connections', 'in_packets', 'out_packets', 'in_bytes', 'out_bytes'];
const RATES = TOTALS.map((field) => `${field}PerSecond` as const);

type Figures = Record<string, readonly number[]>;

let net: Topology;
let agent: WholeAgent;
let download: LabProcess;

beforeAll(async () => {
  net = await createBalancedNetwork();
  await startWebReals(net);
  agent = new WholeAgent(net.node('lb'));
  agent.put(RECORDS);
  await agent.start();
  await agent.until('both services are in force', ({ ready, services }) => ready && services.length === 2);
});
afterAll(async () => {
  await agent.remove();
  await net.stop();
});

async function ipvsadm(...columns: readonly string[]): Promise<Figures> {
  const found = witnessColumns(await net.node('lb').run('ipvsadm', ['-Ln', ...columns]));
  return Object.fromEntries(NAMES.map((name) => [name, found.get(ENTRIES[name]) ?? []]));
}

function trafficOf({ services }: StatusView, fields: readonly (keyof TrafficView)[]): Figures {
  const figures = ({ traffic }: { readonly traffic: TrafficView }) => fields.map((field) => traffic[field]);
  return Object.fromEntries(
    services.flatMap((service) => [
      [service.name, figures(service)],
      ...service.reals.map((real) => [`${service.name}/${real.name}`, figures(real)]),
    ]),
  ) as Figures;
}

/** @param suffixes of the metrics' names, "in_packets_total" */
function metricsOf(text: string, suffixes: readonly string[]): Figures {
  const value = (name: Name, suffix: string): number => {
    const [service = '', real] = name.split('/');
    const labels = real === undefined ? `{service="${service}"}` : `{service="${service}",real="${real}"}`;
    const prefix = `vipkeeper_${real === undefined ? 'service' : 'real'}_${suffix}${labels} `;
    return Number(
      text
        .split('\n')
        .find((line) => line.startsWith(prefix))
        ?.slice(prefix.length) ?? NaN,
    );
  };
  return Object.fromEntries(NAMES.map((name) => [name, suffixes.map((suffix) => value(name, suffix))]));
}

/** Looks again until both say the same, as the kernel adds up and the agent reads every two seconds. */
async function agree(what: string, look: () => Promise<readonly [ours: Figures, theirs: Figures]>): Promise<Figures> {
  let seen: readonly [Figures, Figures] = [{}, {}];
  await eventually(
    what,
    async () => {
      seen = await look();
      expect(seen[0]).toEqual(seen[1]);
      return true;
    },
    { timeoutMs: 30_000, everyMs: 300 },
  );
  return seen[1];
}

describe('the figures of a service and its reals', () => {
  it('count connections, packets and bytes as ipvsadm does', async () => {
    expect(await answersOf(net, [`http://${VIP}/`], 12)).toEqual({ a: 9, b: 3 });
    expect(Object.values(await answersOf(net, [`http://${VIP}:81/`], 4))).toEqual([4]);
    // Stays open, and sends nothing more for a while.
    download = await net.node('client').start('curl', ['-sSN', `http://${VIP}/drip?ms=120000&chunks=2`]);
    await download.until('first bytes', () => /^[ab]$/m.test(download.log()));

    const counted = await agree('the status has what ipvsadm counts', async () => {
      const theirs = await ipvsadm('--stats', '--exact');
      expect([theirs['web']?.[0], theirs['sticky']?.[0]]).toEqual([13, 4]);
      return [trafficOf(await agent.status(), TOTALS), theirs];
    });
    const connections = (name: Name) => counted[name]?.[0];
    expect((connections('web/a') ?? 0) + (connections('web/b') ?? 0)).toBe(13);
    // At least SYN, ACK, request and FIN of each, and their headers alone.
    for (const name of ['web', 'web/a', 'web/b', 'sticky'] as const) {
      const [count = 0, inPackets = 0, outPackets = 0, inBytes = 0, outBytes = 0] = counted[name] ?? [];
      expect(Math.min(inPackets / 3, outPackets / 2, inBytes / 120, outBytes / 80)).toBeGreaterThanOrEqual(count);
    }
    await agree('the metrics have it as well', async () => {
      const metrics = metricsOf(
        await agent.ask('/metrics'),
        TOTAL_METRICS.map((name) => `${name}_total`),
      );
      return [metrics, await ipvsadm('--stats', '--exact')];
    });
  });

  it('count active, inactive and persistent connections as ipvsadm does', async () => {
    const listed = async (): Promise<Figures> => {
      // Weight, persistent, active, inactive; a service has none of its own.
      const all = await ipvsadm('--persistent-conn');
      const reals = Object.entries(all).filter(([name]) => name.includes('/'));
      const sums = (['web', 'sticky'] as const).map((service): [string, number[]] => {
        const own = reals.filter(([name]) => name.startsWith(`${service}/`));
        return [service, [1, 2, 3].map((at) => own.reduce((sum, [, columns]) => sum + (columns[at] ?? NaN), 0))];
      });
      return Object.fromEntries([...sums, ...reals.map(([name, columns]) => [name, columns.slice(1)] as const)]);
    };
    const held = await agree('the status has what ipvsadm lists', async () => {
      const { services } = await agent.status();
      const ours = services.flatMap(({ name, connections, reals }) => [
        [name, [connections.persistent, connections.active, connections.inactive]],
        ...reals.map((real) => [
          `${name}/${real.name}`,
          [real.persistentConnections, real.activeConnections, real.inactiveConnections],
        ]),
      ]) as [string, number[]][];
      return [Object.fromEntries(ours), await listed()];
    });
    // The download, twelve that are over, and the template that keeps the client at one real.
    expect([held['web'], held['sticky']]).toEqual([
      [0, 1, 12],
      [1, 0, 4],
    ]);
    const kinds = ['persistent', 'active', 'inactive'].map((kind) => `${kind}_connections`);
    await agree('the metrics have it as well', async () => [
      metricsOf(await agent.ask('/metrics'), kinds),
      await listed(),
    ]);
  });

  it('tell the rates that the kernel estimates', async () => {
    const loop = `while :; do curl -sS -o /dev/null http://${VIP}/; done`;
    const load = await net.node('client').start('sh', ['-c', loop]);
    const rates = await agree('both tell the same rates, and a load', async () => {
      const before = await ipvsadm('--rate', '--exact');
      const ours = trafficOf(await agent.status(), RATES);
      expect(Math.min(...(before['web'] ?? [0]))).toBeGreaterThan(0);
      return [ours, await ipvsadm('--rate', '--exact')];
    });
    expect(new Set(rates['web']).size).toBeGreaterThan(2);
    await load.kill();
    await download.kill();
  });
});

describe('the table of a running agent', () => {
  const saved = async () => (await net.node('lb').run('ipvsadm', ['-Sn'])).trim().split('\n').toSorted();

  it('is mended in one cycle after `ipvsadm -C`, on demand and by itself, and what was found is told', async () => {
    const before = await saved();
    expect(before).toHaveLength(6);
    const gone = [`service tcp ${VIP}:80 is gone`, `service tcp ${VIP}:81 is gone`];
    await net.node('lb').run('ipvsadm', ['-C']);
    const verified = JSON.parse(await agent.ask('/v1/verify', '-X', 'POST')) as VerificationView;
    expect(verified).toMatchObject({ compared: true, operations: before.length, failures: [] });
    expect(verified.differences.map(({ found }) => found).toSorted()).toEqual(gone);
    expect(await saved()).toEqual(before);

    agent.put({ 'agents/_default': { dataplane: 'ipvs', verifyInterval: '1s' } });
    await eventually('the kernel is read every second', async () => {
      const read = async () => (await agent.status()).kernel.lastRead;
      const first = await read();
      await eventually('it is read again', async () => (await read()) !== first, { timeoutMs: 3_000 });
      return true;
    });
    await net.node('lb').run('ipvsadm', ['-C']);
    await eventually('it is mended', async () => (await saved()).join() === before.join());
  });

  it('keeps a client at a real that is drained, until templates of such reals are to expire', async () => {
    const sticky = [`http://${VIP}:81/`];
    const [kept = ''] = Object.keys(await answersOf(net, sticky, 1));
    const other = kept === 'a' ? 'b' : 'a';
    agent.put({ 'drains/chg': { target: `sticky/${kept}`, by: 'ana', why: 'kernel upgrade' } });
    const drained = await agent.until('the drain counts what is left', ({ drains }) => {
      return drains[0]?.progress?.connections.persistent === 1;
    });
    expect(drained.drains[0]?.progress).toMatchObject({ reals: 1, realsDone: 0, done: false });
    expect(await answersOf(net, sticky, 2)).toEqual({ [kept]: 2 });
    const kernel = { sysctls: { expire_quiescent_template: 1 } };
    agent.put({ 'agents/_default': { dataplane: 'ipvs', kernel } });
    await eventually('the kernel is told', async () => {
      return (await net.node('lb').run('cat', ['/proc/sys/net/ipv4/vs/expire_quiescent_template'])).trim() === '1';
    });
    expect(await answersOf(net, sticky, 2)).toEqual({ [other]: 2 });
  });
});
