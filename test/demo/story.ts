import { eventually } from '../lab/eventually.ts';
import type { Tally } from './control.ts';
import type { Narrator } from './narrator.ts';
import { API_VIP, REALS, WEB_VIP, WEB_WEIGHTS, lanAddress, webReal } from './records.ts';
import type { RealName } from './records.ts';
import { restartStory, storeStory } from './story-failures.ts';
import type { AgentName, World } from './world.ts';

export const WEB = `http://${WEB_VIP}/`;
const API = `http://${API_VIP}/`;
export const AGENTS: readonly AgentName[] = ['lb1', 'lb2'];

/** What follows an edit or a fault: in a guest with one slow CPU, whatever it takes; the time is printed. */
const SOON = { timeoutMs: 60_000, everyMs: 250 };

interface HealthOfReal {
  readonly verdict: string;
  readonly cause: string;
  readonly weight: number;
  readonly state: string;
}

export async function tell(world: World, narrator: Narrator): Promise<void> {
  await bringUp(world, narrator);
  await weights(world, narrator);
  await realDies(world, narrator);
  await edits(world, narrator);
  await drain(world, narrator);
  await badRecord(world, narrator);
  await allRealsDie(world, narrator);
  await storeStory(world, narrator);
  await restartStory(world, narrator);
}

/** Waits for something that follows from what was done just now. */
export function soon<T>(what: string, probe: () => Promise<T | false | null | undefined>): Promise<T> {
  return eventually(what, probe, SOON);
}

export function assert(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`not so: ${what}`);
}

async function bringUp(world: World, narrator: Narrator): Promise<void> {
  await narrator.step('Two agents start before there is any configuration: they wait, and say so', async () => {
    await Promise.all(AGENTS.map((agent) => world.startAgent(agent)));
    const status = await soon('lb1 is connected', async () => {
      const now = await world.status('lb1');
      return now.store.state === 'connected' && now.configuration.seenRevision === null ? now : null;
    });
    assert(!status.ready, 'an agent without configuration is not ready');
    return `not ready: ${status.notReady.join('; ')}`;
  });
  await narrator.step("An operator writes the records with somebody else's client: both agents follow", async () => {
    const records = world.records();
    for (const [path, record] of records) await world.outsider.put(path, record);
    await soon('both agents announce the web VIP', async () => (await world.nextHops(WEB_VIP)).length === 2);
    await soon('lb1 announces the api VIP', async () => (await world.nextHops(API_VIP)).length === 1);
    return `${records.length} records; the router has ${WEB_VIP} via ${(await world.nextHops(WEB_VIP)).join(' and ')}`;
  });
}

async function weights(world: World, narrator: Narrator): Promise<void> {
  await narrator.step('Requests through the web VIP are spread by weight (1:1:2), by both directors', async () => {
    const tally = await world.client.get(WEB, 80);
    assert(tally.failed === 0, `80 requests without a failure: ${JSON.stringify(tally)}`);
    const total = Object.values(WEB_WEIGHTS).reduce((sum, weight) => sum + weight, 0);
    for (const real of REALS) {
      const share = answersOf(tally, real) / tally.requests;
      const wanted = WEB_WEIGHTS[real] / total;
      assert(Math.abs(share - wanted) < 0.08, `${real} gets ${wanted}: ${JSON.stringify(tally.answers)}`);
    }
    return JSON.stringify(tally.answers);
  });
  await narrator.step('The api VIP is NAT to another port, on the one director that carries the label', async () => {
    const tally = await world.client.get(API, 12);
    assert(tally.failed === 0, `12 requests without a failure: ${JSON.stringify(tally)}`);
    assert(
      REALS.every((real) => answersOf(tally, real) === 4),
      `round robin: ${JSON.stringify(tally.answers)}`,
    );
    const other = await world.kernelTable('lb2');
    assert(!other.includes(API_VIP), 'lb2 has no api service');
    return JSON.stringify(tally.answers);
  });
}

async function realDies(world: World, narrator: Narrator): Promise<void> {
  await narrator.step('A real is killed: it leaves both pools, and its health record says down and why', async () => {
    await world.killReal('r1');
    for (const agent of AGENTS) {
      await soon(`${agent} has r1 at weight 0`, async () => (await world.kernelWeight(agent, 'r1')) === 0);
    }
    const health = await soon('r1 is down in the store', () =>
      healthIf(world, 'lb1', 'r1', ({ verdict }) => verdict === 'down'),
    );
    const tally = await world.client.get(WEB, 20);
    assert(tally.failed === 0 && answersOf(tally, 'r1') === 0, `r1 gets nothing: ${JSON.stringify(tally)}`);
    return health.cause;
  });
  await narrator.step('The real comes back: it is in again', async () => {
    await world.startReal('r1');
    for (const agent of AGENTS) {
      await soon(`${agent} has r1 at weight 1`, async () => (await world.kernelWeight(agent, 'r1')) === 1);
    }
    const tally = await world.client.get(WEB, 24);
    assert(tally.failed === 0 && answersOf(tally, 'r1') > 0, `r1 gets some: ${JSON.stringify(tally)}`);
    return JSON.stringify(tally.answers);
  });
}

async function edits(world: World, narrator: Narrator): Promise<void> {
  await narrator.step('A weight is edited in the store: it is in the kernel', async () => {
    await world.outsider.put('config/services/web/reals/r1', webReal('r1', { weight: 7 }));
    for (const agent of AGENTS) {
      await soon(`${agent} has r1 at weight 7`, async () => (await world.kernelWeight(agent, 'r1')) === 7);
    }
    await world.outsider.put('config/services/web/reals/r1', webReal('r1'));
    await soon('lb1 has r1 at weight 1', async () => (await world.kernelWeight('lb1', 'r1')) === 1);
    return 'weight 7, then 1 again, in both kernels';
  });
}

async function drain(world: World, narrator: Narrator): Promise<void> {
  await narrator.step(
    'A real is drained while a download from it runs: no new requests, and the download ends well',
    async () => {
      for (const real of ['r1', 'r2'] as const) {
        await world.outsider.put(`config/services/web/reals/${real}`, webReal(real, { state: 'disabled' }));
      }
      await soon('only r3 is left', async () => {
        const kernel = await Promise.all(AGENTS.map((agent) => world.kernelWeight(agent, 'r1')));
        return kernel.every((weight) => weight === null || weight === 0);
      });
      await world.client.startDownload(`${WEB}drip?ms=12000&chunks=12`);
      for (const real of ['r1', 'r2'] as const)
        await world.outsider.put(`config/services/web/reals/${real}`, webReal(real));
      await world.outsider.put('config/services/web/reals/r3', webReal('r3', { state: 'drain' }));
      for (const agent of AGENTS) {
        await soon(`${agent} gives r3 nothing new`, async () => ((await world.kernelWeight(agent, 'r3')) ?? 0) === 0);
      }
      const tally = await world.client.get(WEB, 12);
      assert(tally.failed === 0 && answersOf(tally, 'r3') === 0, `r3 gets nothing new: ${JSON.stringify(tally)}`);
      const download = await world.client.endDownload();
      assert(download.ok, `the download is complete: ${download.text}`);
      const lines = download.text.trim().split('\n');
      assert(lines.length === 12 && lines.every((line) => line === 'r3'), `12 lines from r3: ${download.text}`);
      await world.outsider.put('config/services/web/reals/r3', webReal('r3'));
      await soon('lb1 has r3 at weight 2', async () => (await world.kernelWeight('lb1', 'r3')) === 2);
      return `${JSON.stringify(tally.answers)}, and a download of ${Math.round(download.ms / 100) / 10} s from r3`;
    },
  );
}

async function badRecord(world: World, narrator: Narrator): Promise<void> {
  await narrator.step('A bad record is reported and harms nothing else', async () => {
    await world.outsider.put('config/services/web/reals/r2', { address: '010.1.1.1', wieght: 3 });
    const problems = await soon('the problems are published', async () => {
      const record = (await world.outsider.read('state/agents/lb1')) as {
        readonly problems: readonly Problem[];
      } | null;
      return record !== null && record.problems.length > 0 ? record.problems : null;
    });
    assert(
      problems.every(({ path }) => path === 'config/services/web/reals/r2'),
      JSON.stringify(problems),
    );
    assert((await world.kernelWeight('lb1', 'r2')) === 1, 'the last good version of r2 stays');
    const tally = await world.client.get(WEB, 16);
    assert(tally.failed === 0, `traffic goes on: ${JSON.stringify(tally)}`);
    await world.outsider.put('config/services/web/reals/r2', webReal('r2'));
    await soon('no problem is left', async () => (await world.status('lb1')).problems.length === 0);
    return problems.map(({ field, found, allowed }) => `${field}: found ${found}, allowed ${allowed}`).join(' | ');
  });
}

async function allRealsDie(world: World, narrator: Narrator): Promise<void> {
  await narrator.step('All reals die: the router loses the route', async () => {
    await Promise.all(REALS.map((real) => world.killReal(real)));
    await soon('no route is left', async () => (await world.nextHops(WEB_VIP)).length === 0);
    const status = await world.status('lb2');
    return status.vips.find(({ name }) => name === 'web')?.reason ?? '';
  });
  await narrator.step('They come back: the router has the route again', async () => {
    await Promise.all(REALS.map((real) => world.startReal(real)));
    await soon('both routes are back', async () => (await world.nextHops(WEB_VIP)).length === 2);
    await soon('all are in', async () => (await world.kernelWeight('lb2', 'r3')) === 2);
    const tally = await world.client.get(WEB, 16);
    assert(tally.failed === 0, `16 requests without a failure: ${JSON.stringify(tally)}`);
    return `via ${(await world.nextHops(WEB_VIP)).join(' and ')}`;
  });
}

interface Problem {
  readonly path: string;
  readonly field: string;
  readonly found: string;
  readonly allowed: string;
}

export function answersOf(tally: Tally, real: RealName): number {
  return tally.answers[real] ?? 0;
}

/** The health that an agent has published of a real of the web service, if it is as wanted. */
export async function healthIf(
  world: World,
  agent: AgentName,
  real: RealName,
  wanted: (health: HealthOfReal) => boolean,
): Promise<HealthOfReal | null> {
  const record = (await world.outsider.read(`state/health/web/${agent}`)) as {
    readonly reals: Readonly<Record<string, HealthOfReal>>;
  } | null;
  const health = record?.reals[real];
  return health !== undefined && wanted(health) ? health : null;
}

export function directorAddress(agent: AgentName): string {
  return lanAddress(agent);
}
