import { silentLog } from '../../../src/core/ports.ts';
import { ok } from '../../../src/core/result.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { openSource } from '../../../src/sources/open-source.ts';
import type { StoreSettings } from '../../../src/sources/open-source.ts';
import type { Source } from '../../../src/sources/source.ts';
import { eventually } from '../../../test/lab/eventually.ts';
import { healthOf } from './health.ts';
import type { CrewOrder, FromCrew, ToCrew } from './messages.ts';
import { epochMs } from './messages.ts';

/*
 * A process with some agents of the fleet in it, as far as the store can tell: the agent's own source, its watch, its
 * reads, its session and its ephemeral records. What an agent does with what it reads is its own director's business
 * and is not done here, or this machine would measure two hundred directors.
 */

const RETRY_MS = 1_000;
const MAX_BREAKS = 60;

class SimulatedAgent {
  readonly name: string;
  readonly #source: Source;
  #expected: { readonly path: string; readonly text: string; readonly seen: (at: number) => void } | null = null;
  #reading = false;
  #poked = false;

  static async open(name: string, settings: StoreSettings): Promise<SimulatedAgent> {
    const source = await openSource(settings, { clock: systemClock, random: Math.random, log: silentLog });
    if (!source.ok) throw source.error;
    return new SimulatedAgent(name, source.value);
  }

  private constructor(name: string, source: Source) {
    this.name = name;
    this.#source = source;
    this.#source.onChange(() => void this.#look());
    this.#source.start();
  }

  async ready(): Promise<void> {
    const connected = (): boolean => this.#source.state().kind === 'connected';
    await eventually(`${this.name} is connected`, connected, { timeoutMs: 120_000 });
    await eventually(`${this.name} has the tree`, async () => (await this.#source.snapshot()).ok, {
      timeoutMs: 300_000,
    });
  }

  expect(path: string, text: string): Promise<number> {
    return new Promise((seen) => {
      this.#expected = { path, text, seen };
    });
  }

  /** As the publisher does it: again after a second where the connection broke. @returns how often it did */
  async publish(records: ReadonlyMap<string, Uint8Array>): Promise<number> {
    for (let breaks = 0; ; breaks++) {
      const report = await this.#source.publish(records);
      if (report.ok && report.value.refused.size === 0) return breaks;
      if (breaks === MAX_BREAKS) throw report.ok ? new Error('records were refused') : report.error;
      await new Promise((resolve) => setTimeout(resolve, RETRY_MS));
    }
  }

  close(): Promise<void> {
    return this.#source.close({ keepEphemeral: false });
  }

  /** As the intake does it: one read at a time, and another one if something came meanwhile. */
  async #look(): Promise<void> {
    this.#poked = true;
    if (this.#reading) return;
    this.#reading = true;
    while (this.#poked) {
      this.#poked = false;
      const snapshot = await this.#source.snapshot();
      const expected = this.#expected;
      if (!snapshot.ok || expected === null) continue;
      const bytes = snapshot.value.records.get(expected.path)?.bytes;
      if (bytes === undefined || Buffer.from(bytes).toString() !== expected.text) continue;
      this.#expected = null;
      expected.seen(epochMs());
    }
    this.#reading = false;
  }
}

let agents: readonly SimulatedAgent[] = [];
let size: CrewOrder['size'] = { services: 0, reals: 0 };

function say(message: FromCrew): void {
  process.send?.(message);
}

async function start({ settings, size: wanted, first, count }: CrewOrder): Promise<void> {
  size = wanted;
  const place: StoreSettings = settings.kind === 'zookeeper' ? { ...settings, auth: () => ok(null) } : settings;
  const names = Array.from({ length: count }, (_, index) => `lb${first + index}`);
  agents = await Promise.all(names.map((name) => SimulatedAgent.open(name, place)));
  await Promise.all(agents.map((agent) => agent.ready()));
  const { user, system } = process.cpuUsage();
  say({ kind: 'ready', at: epochMs(), cpuMs: (user + system) / 1_000 });
}

async function expectEdit(path: string, text: string): Promise<void> {
  const all = Promise.all(agents.map((agent) => agent.expect(path, text)));
  say({ kind: 'expecting' });
  const times = await all;
  say({ kind: 'seen', first: Math.min(...times), last: Math.max(...times) });
}

async function publish(round: number, changed: number): Promise<void> {
  let bytes = 0;
  const work = agents.map((agent) => {
    const records = healthOf(agent.name, size, round, changed);
    for (const [index, value] of [...records.values()].entries()) if (index < changed) bytes += value.length;
    return agent.publish(records);
  });
  const breaks = (await Promise.all(work)).reduce((sum, each) => sum + each, 0);
  say({ kind: 'published', at: epochMs(), records: agents.length * changed, bytes, breaks });
}

async function obey(message: ToCrew): Promise<void> {
  switch (message.kind) {
    case 'start':
      return start(message.order);
    case 'expect':
      return expectEdit(message.path, message.text);
    case 'publish':
      return publish(message.round, message.changed);
    case 'stop':
      await Promise.all(agents.map((agent) => agent.close()));
      process.disconnect();
  }
}

process.on('message', (message: ToCrew) => {
  obey(message).catch((error: unknown) => say({ kind: 'failed', why: String(error) }));
});
