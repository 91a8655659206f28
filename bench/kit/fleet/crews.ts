import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import type { FleetSize } from '../records.ts';
import type { CrewOrder, FromCrew, ToCrew } from './messages.ts';
import { epochMs } from './messages.ts';

type Kind = FromCrew['kind'];
type Of<K extends Kind> = Extract<FromCrew, { readonly kind: K }>;

/** The fleet: agents spread over a few processes, spoken to as one. */
export class Crews {
  readonly #children: readonly ChildProcess[];

  private constructor(children: readonly ChildProcess[]) {
    this.#children = children;
  }

  /** Resolves when every agent is connected and has read the tree. */
  static async start(
    settings: CrewOrder['settings'],
    size: FleetSize,
    agents: number,
    processes: number,
  ): Promise<{ readonly crews: Crews; readonly readyMs: number; readonly cpuMs: number }> {
    const count = agents / processes;
    const execArgv = ['--import', 'tsx'];
    const children = Array.from({ length: processes }, () => fork(join(import.meta.dirname, 'crew.ts'), { execArgv }));
    const crews = new Crews(children);
    const started = epochMs();
    const ready = crews.#all('ready');
    for (const [index, child] of children.entries()) {
      tell(child, { kind: 'start', order: { settings, size, first: index * count, count } });
    }
    const reports = await ready;
    const last = Math.max(...reports.map(({ at }) => at));
    return { crews, readyMs: last - started, cpuMs: reports.reduce((sum, { cpuMs }) => sum + cpuMs, 0) };
  }

  /** Lets `edit` happen. @returns milliseconds from its start until the first and the last agent had it, and its own end */
  async edit(
    path: string,
    text: string,
    edit: () => Promise<void>,
  ): Promise<{ readonly first: number; readonly last: number; readonly own: number }> {
    const expecting = this.#all('expecting');
    const seen = this.#all('seen');
    this.#tellAll({ kind: 'expect', path, text });
    await expecting;
    const start = epochMs();
    await edit();
    const own = epochMs() - start;
    const reports = await seen;
    return {
      first: Math.min(...reports.map(({ first }) => first)) - start,
      last: Math.max(...reports.map(({ last }) => last)) - start,
      own,
    };
  }

  /** Every agent publishes. @returns milliseconds until the last one was done, and how much was new */
  async publish(
    round: number,
    changed: number,
  ): Promise<{ readonly ms: number; readonly records: number; readonly bytes: number; readonly breaks: number }> {
    const published = this.#all('published');
    const start = epochMs();
    this.#tellAll({ kind: 'publish', round, changed });
    const reports = await published;
    return {
      ms: Math.max(...reports.map(({ at }) => at)) - start,
      records: reports.reduce((sum, { records }) => sum + records, 0),
      bytes: reports.reduce((sum, { bytes }) => sum + bytes, 0),
      breaks: reports.reduce((sum, { breaks }) => sum + breaks, 0),
    };
  }

  async stop(): Promise<void> {
    const gone = this.#children.filter(({ exitCode }) => exitCode === null).map((child) => once(child, 'exit'));
    for (const child of this.#children) if (child.connected) tell(child, { kind: 'stop' });
    const timer = setTimeout(() => {
      for (const child of this.#children) child.kill('SIGKILL');
    }, 20_000);
    await Promise.all(gone);
    clearTimeout(timer);
  }

  #tellAll(message: ToCrew): void {
    for (const child of this.#children) tell(child, message);
  }

  #all<K extends Kind>(kind: K): Promise<readonly Of<K>[]> {
    return Promise.all(this.#children.map((child) => next(child, kind)));
  }
}

function tell(child: ChildProcess, message: ToCrew): void {
  child.send(message);
}

function next<K extends Kind>(child: ChildProcess, kind: K): Promise<Of<K>> {
  return new Promise((resolve, reject) => {
    const onMessage = (message: FromCrew): void => {
      if (message.kind !== kind && message.kind !== 'failed') return;
      child.removeListener('message', onMessage);
      child.removeListener('exit', onExit);
      if (message.kind === 'failed') reject(new Error(`a crew failed: ${message.why}`));
      else resolve(message as Of<K>);
    };
    const onExit = (code: number | null): void => reject(new Error(`a crew ended with status ${String(code)}`));
    child.on('message', onMessage);
    child.once('exit', onExit);
  });
}
