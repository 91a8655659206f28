import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { freePort } from '../test/lab/free-port.ts';
import type { LabProcess } from '../test/lab/process.ts';
import { build, cpuSecondsOf, startAgent, writeDirectoryStore } from './kit/agent-process.ts';
import { median } from './kit/numbers.ts';
import { fleet, TEN_THOUSAND } from './kit/records.ts';
import type { Bench, Reporter } from './kit/report.ts';
import { below } from './kit/report.ts';

/** The first of them compile what the later ones use. */
const WARM_UP = 6;
const ROUNDS = 10;
/** Counters that are younger are not read again. */
const FRESH_MS = 2_000;
const PATIENCE_MS = 120_000;

export const bench: Bench = { about: 'what a scrape and a status cost an agent with 10,000 reals', run };

async function run(report: Reporter): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-bench-scrape-'));
  let process: LabProcess | undefined;
  try {
    build();
    const store = join(folder, 'store');
    writeDirectoryStore(store, uncheckedFleet());
    mkdirSync(join(folder, 'state'));
    const listen = `127.0.0.1:${await freePort()}`;
    process = await startAgent({ store, stateDir: join(folder, 'state'), listen });
    const agent = new ScrapedAgent(listen, process.pid);
    await agent.untilReady();
    for (const path of ['/metrics', '/v1/status', '/readyz']) await measure(agent, path, report);
    agent.close();
  } finally {
    await process?.stop('SIGTERM');
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Without checks every real is up at once, and nothing but the answers takes processor time. */
function uncheckedFleet(): Map<string, string> {
  const records = fleet({ ...TEN_THOUSAND, network: '10.1', port: 8080 });
  for (const [path, text] of records) if (text.includes('"checks"')) records.set(path, text.replace('"tcp-ok"', ''));
  return records;
}

async function measure(agent: ScrapedAgent, path: string, report: Reporter): Promise<void> {
  const answers: Answered[] = [];
  for (let round = 0; round < WARM_UP + ROUNDS; round++) {
    await pause(FRESH_MS + 100);
    const answered = await agent.ask(path);
    if (round >= WARM_UP) answers.push(answered);
  }
  const figure = (what: string, unit: string, of: (answered: Answered) => number, goal: number | null): void => {
    const value = median(answers.map(of));
    report.figure({ figure: `${path}: ${what}`, value, unit, peer: null, goal: goal === null ? null : below(goal) });
  };
  report.note(`${path}, longest waits of others: ${answers.map(({ stallMs }) => stallMs.toFixed(0)).join(', ')} ms`);
  figure('until the last byte', 'ms', ({ ms }) => ms, null);
  figure('processor time', 'ms', ({ cpuMs }) => cpuMs, null);
  figure('the longest that another request waited meanwhile', 'ms', ({ stallMs }) => stallMs, 50);
  figure('size', 'kB', ({ bytes }) => bytes / 1_000, null);
}

interface Answered {
  readonly ms: number;
  readonly cpuMs: number;
  readonly stallMs: number;
  readonly bytes: number;
}

/** An agent as a scraper sees it, and somebody who asks at the same time whether it is alive. */
class ScrapedAgent {
  readonly #origin: string;
  readonly #pid: number;
  readonly #connections = new Agent({ keepAlive: true });

  constructor(listen: string, pid: number) {
    this.#origin = `http://${listen}`;
    this.#pid = pid;
  }

  async untilReady(): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    while ((await this.#get('/readyz').catch(() => null))?.code !== 200) {
      if (performance.now() > end) throw new Error(`the agent was not ready within ${PATIENCE_MS / 1_000} s`);
      await pause(200);
    }
  }

  async ask(path: string): Promise<Answered> {
    const watch = { over: false, stallMs: 0 };
    const watching = this.#watch(watch);
    const cpuBefore = cpuSecondsOf(this.#pid);
    const { ms, bytes } = await this.#get(path);
    const cpuMs = (cpuSecondsOf(this.#pid) - cpuBefore) * 1_000;
    watch.over = true;
    await watching;
    return { ms, bytes, cpuMs, stallMs: watch.stallMs };
  }

  async #watch(watch: { over: boolean; stallMs: number }): Promise<void> {
    while (!watch.over) watch.stallMs = Math.max(watch.stallMs, (await this.#get('/healthz')).ms);
  }

  close(): void {
    this.#connections.destroy();
  }

  #get(path: string): Promise<{ readonly code: number; readonly ms: number; readonly bytes: number }> {
    const start = performance.now();
    return new Promise((resolve, reject) => {
      const request = get(`${this.#origin}${path}`, { agent: this.#connections }, (response) => {
        let bytes = 0;
        response.on('data', (chunk: Buffer) => (bytes += chunk.length));
        response.on('error', reject);
        response.on('end', () => {
          resolve({ code: response.statusCode ?? 0, ms: performance.now() - start, bytes });
        });
      });
      request.on('error', reject);
    });
  }
}
