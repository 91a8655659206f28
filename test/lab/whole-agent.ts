import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import type { StatusView } from '../../src/model/status.ts';
import type { StoreContent } from '../fakes/records.ts';
import { eventually } from './eventually.ts';
import type { LabProcess } from './process.ts';
import type { NetNode } from './topology.ts';

/** The build: a loader of TypeScript takes half a minute to start the agent in a guest. */
const PROGRAM = resolve(import.meta.dirname, '../../dist/cli/main.js');
const LISTEN = '127.0.0.1:8370';
const PATIENCE_MS = 300_000;

/**
 * An agent in a process of its own on a host of a topology, with a store in a directory. What it leaves on disk stays
 * there when it is started anew.
 */
export class WholeAgent {
  readonly #node: NetNode;
  readonly #folder = mkdtempSync(join(tmpdir(), 'vipkeeper-agent-'));
  #process: LabProcess | null = null;

  constructor(node: NetNode) {
    this.#node = node;
  }

  /** Records by path under `config/`; null deletes one. */
  put(content: StoreContent): void {
    for (const [path, record] of Object.entries(content)) {
      const file = join(this.#folder, 'store/config', `${path}.json`);
      mkdirSync(dirname(file), { recursive: true });
      if (record === null) rmSync(file);
      else writeFileSync(file, JSON.stringify(record));
    }
  }

  async start(): Promise<void> {
    if (!existsSync(PROGRAM)) throw new Error('there is no build yet: npm run build');
    const bootstrap = join(this.#folder, 'bootstrap.json');
    const store = { directory: { path: join(this.#folder, 'store') } };
    const stateDir = join(this.#folder, 'state');
    mkdirSync(stateDir, { recursive: true });
    writeFileSync(bootstrap, JSON.stringify({ agent: 'lb1', store, stateDir, api: { listen: LISTEN } }));
    const child = await this.#node.start('node', [PROGRAM, 'agent', '--bootstrap', bootstrap]);
    this.#process = child;
    await child.until('started', () => child.log().includes('agent started'), PATIENCE_MS);
  }

  /** SIGTERM stops it, SIGUSR2 makes it leave for a restart, SIGKILL is a crash. */
  async end(signal: 'SIGTERM' | 'SIGUSR2' | 'SIGKILL'): Promise<void> {
    await this.#process?.kill(signal, PATIENCE_MS);
    this.#process = null;
  }

  async remove(): Promise<void> {
    await this.end('SIGTERM');
    rmSync(this.#folder, { recursive: true, force: true });
  }

  /** What its API answers. @param path "/metrics" */
  ask(path: string, ...curl: readonly string[]): Promise<string> {
    return this.#node.run('curl', ['-sS', '--fail-with-body', ...curl, `http://${LISTEN}${path}`]);
  }

  async status(): Promise<StatusView> {
    return JSON.parse(await this.ask('/v1/status')) as StatusView;
  }

  /** Waits until what it says of itself satisfies `test`; fails with what is wrong. */
  async until(what: string, test: (status: StatusView) => boolean): Promise<StatusView> {
    const look = async (): Promise<StatusView> => {
      const status = await this.status();
      if (test(status)) return status;
      const { ready, notReady, problems } = status;
      throw new Error(
        `${JSON.stringify({ ready, notReady, problems })}\n${this.#process?.tail() ?? 'it does not run'}`,
      );
    };
    return eventually(what, look, { timeoutMs: PATIENCE_MS, everyMs: 500 });
  }
}
