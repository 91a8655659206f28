import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import type { StatusView } from '../../src/model/status.ts';
import { eventually } from '../lab/eventually.ts';
import { requireParts } from '../lab/parts.ts';
import type { LabProcess } from '../lab/process.ts';
import type { Topology } from '../lab/topology.ts';
import { createTopology } from '../lab/topology.ts';
import { LoadClient, Outsider } from './control.ts';
import { MASQUERADE, NAT_RETURN, birdConfiguration, dataCentre } from './data-centre.ts';
import { AGENT_ASN, REALS, ROUTER_ASN, WEB_VIP, allRecords, lanAddress } from './records.ts';
import type { DemoDataplane, RealName } from './records.ts';
import { makeStore } from './store-server.ts';
import type { DemoStore, StoreKind } from './store-server.ts';

export type AgentName = 'lb1' | 'lb2';

const ROOT = resolve(import.meta.dirname, '../..');
const PROGRAMS = join(import.meta.dirname, 'programs');
const REAL_PROGRAM = join(ROOT, 'test/lab/web-real.mjs');
const AGENT_PROGRAM = join(ROOT, 'dist/cli/main.js');
/** A guest with one slow CPU starts a Node process in about two seconds. */
const PATIENCE_MS = 45_000;

/** Everything that the story plays with: real parts, each in a network namespace of its own. */
export class World {
  readonly store: DemoStore;
  readonly client: LoadClient;
  readonly outsider: Outsider;
  readonly #dataplane: DemoDataplane;
  readonly #topology: Topology;
  readonly #folder: string;
  readonly #agents = new Map<AgentName, LabProcess>();
  readonly #reals = new Map<RealName, LabProcess[]>();

  private constructor(dataplane: DemoDataplane, topology: Topology, store: DemoStore, folder: string) {
    this.#dataplane = dataplane;
    this.#topology = topology;
    this.#folder = folder;
    this.store = store;
    this.client = new LoadClient(join(folder, 'client.sock'));
    this.outsider = new Outsider(join(folder, 'outsider.sock'));
  }

  /** Builds the data centre and starts all but the agents. */
  static async start(kind: StoreKind, dataplane: DemoDataplane, say: (text: string) => void): Promise<World> {
    const tool = dataplane === 'ipvs' ? 'ipvsadm' : 'nftables';
    const parts = await requireParts(['iproute2', tool, 'bird', ...(kind === 'directory' ? [] : [kind])], say);
    const topology = await createTopology(dataCentre(), parts);
    const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-demo-'));
    const world = new World(dataplane, topology, makeStore(kind, topology, folder), folder);
    try {
      say('the router: BIRD 2');
      await world.#startRouter();
      if (dataplane === 'nftables') await world.#masquerade();
      say(`three web servers, each on port 80 for ${WEB_VIP} and on port 8080 behind NAT`);
      for (const real of REALS) await world.#prepareReal(real);
      say(`the store: ${kind}`);
      await world.store.server?.start();
      await world.#startPrograms();
      return world;
    } catch (error) {
      await world.stop();
      throw error;
    }
  }

  async stop(): Promise<void> {
    await this.#topology.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async startReal(name: RealName): Promise<void> {
    const node = this.#topology.node(name);
    const start = (port: string): Promise<LabProcess> => node.start('node', [REAL_PROGRAM, name, port]);
    const processes = [await start('80'), await start('8080')];
    this.#reals.set(name, processes);
    for (const each of processes) await each.until('listens', () => each.log().includes('listening'), PATIENCE_MS);
  }

  /** SIGKILL to the web servers of a real. */
  async killReal(name: RealName): Promise<void> {
    for (const each of this.#reals.get(name) ?? []) await each.stop();
  }

  async startAgent(name: AgentName): Promise<void> {
    const file = join(this.#folder, `${name}.json`);
    const api = { listen: `${lanAddress(name)}:8370` };
    const stateDir = join(this.#folder, `${name}-state`);
    writeFileSync(file, JSON.stringify({ agent: name, store: this.store.bootstrap, stateDir, api }));
    const child = await this.#topology.node(name).start('node', [AGENT_PROGRAM, 'agent', '--bootstrap', file]);
    this.#agents.set(name, child);
    await child.until('started', () => child.log().includes('agent started'), PATIENCE_MS);
  }

  /** Ends an agent: SIGKILL is the honest fault, SIGTERM the order to stop. */
  async endAgent(name: AgentName, signal: 'SIGKILL' | 'SIGTERM'): Promise<void> {
    const child = this.#agents.get(name);
    if (child === undefined) throw new Error(`${name} does not run`);
    await child.kill(signal, PATIENCE_MS);
    this.#agents.delete(name);
  }

  agentLog(name: AgentName): string {
    return this.#agents.get(name)?.tail() ?? '';
  }

  async status(name: AgentName): Promise<StatusView> {
    const text = await this.#topology
      .node(name)
      .run('node', [AGENT_PROGRAM, 'status', '--json', '--api', `http://${lanAddress(name)}:8370`]);
    return JSON.parse(text) as StatusView;
  }

  /** The records of the story, by path under the root. */
  records(): [path: string, record: object][] {
    return allRecords(this.#dataplane);
  }

  /** What ipvsadm or nft, an independent witness, reads from the kernel of a director, without counters. */
  async kernelTable(name: AgentName): Promise<string> {
    const node = this.#topology.node(name);
    if (this.#dataplane === 'ipvs') return node.run('ipvsadm', ['-Sn']);
    return node.run('nft', ['--stateless', 'list', 'ruleset']);
  }

  /** The weight of a real of the web service in a director's kernel; null when it is not there. */
  async kernelWeight(name: AgentName, real: RealName): Promise<number | null> {
    const [words, pattern] =
      this.#dataplane === 'ipvs'
        ? [[`-t ${WEB_VIP}:80`, ` -r ${lanAddress(real)}:80 `], / -w (\d+)/]
        : [[`counter name "real/tcp/${WEB_VIP}/80/${lanAddress(real)}/80"`], / comment "weight (\d+)"/];
    const lines = (await this.kernelTable(name)).split('\n');
    const line = lines.find((each) => words.every((word) => each.includes(word)));
    const weight = line === undefined ? undefined : pattern.exec(line)?.[1];
    return weight === undefined ? null : Number(weight);
  }

  /** Next hops of a host route in the router's kernel, as `ip route` shows them. */
  async nextHops(vip: string): Promise<string[]> {
    const text = await this.#topology.node('router').run('ip', ['route', 'show', `${vip}/32`]);
    return [...text.matchAll(/via ([0-9.]+)/g)].map((match) => match[1] ?? '').sort();
  }

  /** One command to BIRD over its control socket. */
  bird(command: string): Promise<string> {
    return new Promise((done, reject) => {
      const socket = createConnection(join(this.#folder, 'bird.ctl'));
      let reply = '';
      socket.setEncoding('utf8');
      socket.once('connect', () => socket.write(`${command}\n`));
      socket.once('error', reject);
      socket.on('data', (chunk: string) => {
        reply += chunk;
        if ([...reply.matchAll(/^\d{4}(?: .*)?\n/gm)].length < 2) return;
        socket.destroy();
        done(reply);
      });
    });
  }

  /** How often routes to the VIP came and went, as BIRD counts it: updates and withdrawals of one agent. */
  async routeChanges(name: AgentName): Promise<string> {
    const text = await this.bird(`show protocols all ${name}`);
    const line = (label: string): string => new RegExp(`${label}:\\s+(\\d+)`).exec(text)?.[1] ?? '?';
    return `withdraws ${line('Import withdraws')}`;
  }

  async #startRouter(): Promise<void> {
    const config = join(this.#folder, 'bird.conf');
    writeFileSync(config, birdConfiguration(ROUTER_ASN, AGENT_ASN));
    const control = join(this.#folder, 'bird.ctl');
    const args = ['-f', '-c', config, '-s', control, '-P', join(this.#folder, 'bird.pid')];
    const bird = await this.#topology.node('router').start('bird', args);
    await bird.until('answers', async () => (await this.bird('show status')).includes('Daemon is up'), PATIENCE_MS);
  }

  async #prepareReal(name: RealName): Promise<void> {
    const node = this.#topology.node(name);
    if (this.#dataplane === 'ipvs') {
      await node.takeDirect(`${WEB_VIP}/32`);
      await node.script(NAT_RETURN);
    }
    await this.startReal(name);
  }

  /** Both directors rewrite addresses, so each real must answer to the one that a request came through. */
  async #masquerade(): Promise<void> {
    for (const name of ['lb1', 'lb2']) await this.#topology.node(name).run('nft', ['-f', '-'], { input: MASQUERADE });
  }

  async #startPrograms(): Promise<void> {
    mkdirSync(this.#folder, { recursive: true });
    const client = join(this.#folder, 'client.sock');
    await this.#topology.node('client').start('node', [join(PROGRAMS, 'load-client.mjs'), client]);
    const outsider = join(this.#folder, 'outsider.sock');
    const args = [join(PROGRAMS, 'outsider.mjs'), outsider, this.store.kind, this.store.where];
    await this.#topology.node('desk').start('node', args);
    for (const socket of [client, outsider]) {
      await eventually(`${socket} answers`, () => answers(socket), { timeoutMs: PATIENCE_MS, everyMs: 200 });
    }
  }
}

function answers(path: string): Promise<boolean> {
  return new Promise((done) => {
    const socket = createConnection(path, () => {
      socket.destroy();
      done(true);
    });
    socket.once('error', () => done(false));
  });
}
