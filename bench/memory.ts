import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { freePort } from '../test/lab/free-port.ts';
import { LabProcess } from '../test/lab/process.ts';
import { build, cpuSecondsOf, residentOf, startAgent, writeDirectoryStore } from './kit/agent-process.ts';
import { median, quantile } from './kit/numbers.ts';
import { TEN_THOUSAND, fleet } from './kit/records.ts';
import type { Bench, Reporter } from './kit/report.ts';
import { below } from './kit/report.ts';

/** Long enough for several collections of the old generation, and for some 300,000 probes. */
const SETTLE_MS = 60_000;
/** The median of so many readings, one a second: a garbage collector makes a curve of any one of them. */
const READINGS = 15;

export const bench: Bench = { about: 'resident size of an agent with 10,000 reals and their checks', run };

async function run(report: Reporter): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-bench-memory-'));
  const arrivals = new Arrivals();
  const server = await listen(arrivals);
  const agents: LabProcess[] = [];
  const start = async (name: string, records: ReadonlyMap<string, string>): Promise<LabProcess> => {
    const store = join(folder, name, 'store');
    writeDirectoryStore(store, records);
    mkdirSync(join(folder, name, 'state'));
    const listen = `127.0.0.1:${await freePort()}`;
    const agent = await startAgent({ store, stateDir: join(folder, name, 'state'), listen });
    agents.push(agent);
    return agent;
  };
  try {
    build();
    const idle = await start('idle', new Map([['config/agents/_default', '{"dataplane":"memory"}']]));
    const { port } = server.address() as AddressInfo;
    const records = fleet({ ...TEN_THOUSAND, network: '127.1', port });
    const busy = await start('busy', records);
    report.note(`${records.size} records; waiting until all reals are up and published`);
    const store = join(folder, 'busy', 'store');
    await busy.until('all reals are up', () => realsUp(store) === 10_000, 300_000);
    const cpuBefore = cpuSecondsOf(busy.pid);
    const startedAt = performance.now();
    arrivals.clear();
    await sleep(SETTLE_MS - READINGS * 1_000);
    const readings: number[] = [];
    for (let reading = 0; reading < READINGS; reading++) {
      await sleep(1_000);
      readings.push(residentOf(busy.pid).now);
    }
    const seconds = (performance.now() - startedAt) / 1_000;
    const peer = { name: 'the same agent with an empty store', value: residentOf(idle.pid).now };
    report.figure({
      figure: 'memory: 10,000 reals checked every 2 s',
      value: median(readings),
      unit: 'MB',
      peer,
      goal: below(150),
    });
    report.figure({
      figure: 'memory: the most so far, reading the store included',
      value: residentOf(busy.pid).peak,
      unit: 'MB',
      peer: { name: peer.name, value: residentOf(idle.pid).peak },
      goal: null,
    });
    const { bare } = await bareNode();
    report.figure({
      figure: 'memory: a bare node process with fastify',
      value: bare,
      unit: 'MB',
      peer: null,
      goal: null,
    });
    const cores = (cpuSecondsOf(busy.pid) - cpuBefore) / seconds;
    report.figure({ figure: 'memory: processor time per second', value: cores, unit: 's', peer: null, goal: null });
    const gaps = arrivals.gaps();
    report.note(`${gaps.length + 10_000} probes arrived in ${seconds.toFixed(0)} s; ${realsUp(store)} reals are up`);
    const wanted = { name: 'the interval', value: 2_000 };
    report.figure({
      figure: 'memory: between two probes, p50',
      value: median(gaps),
      unit: 'ms',
      peer: wanted,
      goal: null,
    });
    report.figure({
      figure: 'memory: between two probes, p99',
      value: quantile(gaps, 0.99),
      unit: 'ms',
      peer: wanted,
      goal: null,
    });
  } finally {
    for (const agent of agents) await agent.stop('SIGTERM');
    server.close();
    rmSync(folder, { recursive: true, force: true });
  }
}

/** One listener is every real: all of 127.0.0.0/8 is this host. */
async function listen(arrivals: Arrivals): Promise<Server> {
  const server = createServer({ pauseOnConnect: true }, (socket) => {
    arrivals.note(socket.localAddress ?? '');
    socket.on('error', () => undefined);
    socket.end();
    socket.destroySoon();
  });
  await new Promise<void>((resolve) => server.listen({ host: '0.0.0.0', port: 0, backlog: 4_096 }, resolve));
  return server;
}

/** When probes arrive at each real, seen from the real. */
class Arrivals {
  readonly #last = new Map<string, number>();
  #gaps: number[] = [];

  note(real: string): void {
    const now = performance.now();
    const before = this.#last.get(real);
    if (before !== undefined) this.#gaps.push(now - before);
    this.#last.set(real, now);
  }

  clear(): void {
    this.#last.clear();
    this.#gaps = [];
  }

  gaps(): readonly number[] {
    return this.#gaps;
  }
}

/** As the agent says it in its store: asking the agent itself would change what is measured. */
function realsUp(store: string): number {
  let up = 0;
  for (let service = 0; service < TEN_THOUSAND.services; service++) {
    const text = readFileSync(join(store, `state/health/web-${service}/lb1.json`), 'utf8');
    const { reals } = JSON.parse(text) as { readonly reals: Record<string, { readonly verdict: string }> };
    up += Object.values(reals).filter(({ verdict }) => verdict === 'up').length;
  }
  return up;
}

async function bareNode(): Promise<{ readonly bare: number }> {
  const program = `import('fastify').then(({ fastify }) => fastify().listen({ host: '127.0.0.1', port: 0 }))`;
  const node = await LabProcess.start(process.execPath, ['-e', program], { name: 'bare node' });
  await sleep(3_000);
  const bare = residentOf(node.pid).now;
  await node.stop();
  return { bare };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
