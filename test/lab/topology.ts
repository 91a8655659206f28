import { spawnSync } from 'node:child_process';
import { type Parts, requireParts } from './parts.ts';
import { LabProcess, type ProcessOptions, runToEnd } from './process.ts';
import {
  type TopologySpec,
  addressCommand,
  namespacesOf,
  nodeNamespace,
  setUpScript,
  sysctlLines,
} from './topology-script.ts';

export type { NodeSpec, SegmentSpec, TopologySpec } from './topology-script.ts';

let made = 0;

/** One host: everything is run inside its network namespace, with the parts' environment. */
export class NetNode {
  readonly name: string;
  /** As `ip netns` knows it. */
  readonly namespace: string;
  readonly #parts: Parts;
  readonly #processes: Set<LabProcess>;

  constructor(name: string, namespace: string, parts: Parts, processes: Set<LabProcess>) {
    this.name = name;
    this.namespace = namespace;
    this.#parts = parts;
    this.#processes = processes;
  }

  /** Runs a program to its end; resolves to what it wrote, rejects with it if it failed. */
  run(file: string, args: readonly string[] = [], options: ProcessOptions = {}): Promise<string> {
    return runToEnd('nsenter', this.#words(file, args), this.#options(file, options));
  }

  /** Runs a shell script, which ends at its first failing command. */
  script(text: string): Promise<string> {
    return this.run('sh', ['-e'], { input: text });
  }

  /** Starts a program that runs on. The topology's end kills it, if nothing did before. */
  async start(file: string, args: readonly string[] = [], options: ProcessOptions = {}): Promise<LabProcess> {
    const child = await LabProcess.start('nsenter', this.#words(file, args), this.#options(file, options));
    this.#processes.add(child);
    return child;
  }

  addAddress(address: string, device = 'lo'): Promise<string> {
    return this.script(`ip ${addressCommand(address, device)}`);
  }

  /** Takes the cable of a segment out, or puts it in again. */
  setLink(segment: string, state: 'up' | 'down'): Promise<string> {
    return this.run('ip', ['link', 'set', 'dev', segment, state]);
  }

  /**
   * Makes this node a real of a service with direct routing: it takes packets for the VIP (as `203.0.113.10/32`), but
   * neither answers nor sends ARP for it (linux/Documentation/networking/ip-sysctl: arp_ignore, arp_announce).
   * IPv6 on lo needs no such setting, as neighbour discovery never answers for another interface's address.
   */
  takeDirect(...vips: readonly string[]): Promise<string> {
    const sysctls = { 'net.ipv4.conf.all.arp_ignore': 1, 'net.ipv4.conf.all.arp_announce': 2 };
    return this.script([...sysctlLines(sysctls), ...vips.map((vip) => `ip ${addressCommand(vip, 'lo')}`)].join('\n'));
  }

  #words(file: string, args: readonly string[]): string[] {
    return [`--net=/run/netns/${this.namespace}`, '--', this.#parts.binary(file), ...args];
  }

  #options(file: string, options: ProcessOptions): ProcessOptions {
    return { name: `${file} on ${this.name}`, ...options, env: { ...this.#parts.env, ...options.env } };
  }
}

/** A small data centre of network namespaces, on this kernel only and gone with `stop`. */
export class Topology {
  readonly parts: Parts;
  readonly #nodes: ReadonlyMap<string, NetNode>;
  readonly #namespaces: readonly string[];
  readonly #processes: Set<LabProcess>;
  readonly #onExit = (): void => {
    for (const namespace of this.#namespaces) spawnSync('ip', ['netns', 'del', namespace], { env: this.parts.env });
  };

  constructor(
    parts: Parts,
    nodes: ReadonlyMap<string, NetNode>,
    namespaces: readonly string[],
    processes: Set<LabProcess>,
  ) {
    this.parts = parts;
    this.#nodes = nodes;
    this.#namespaces = namespaces;
    this.#processes = processes;
    process.once('exit', this.#onExit);
  }

  node(name: string): NetNode {
    const node = this.#nodes.get(name);
    if (node === undefined) throw new Error(`the topology has no node ${name}`);
    return node;
  }

  /** Kills what still runs in the nodes and removes them. */
  async stop(): Promise<void> {
    process.off('exit', this.#onExit);
    await Promise.all([...this.#processes].map((each) => each.stop()));
    this.#processes.clear();
    const commands = this.#namespaces.map((namespace) => `netns del ${namespace}\n`).join('');
    await runToEnd('ip', ['-force', '-batch', '-'], { input: commands, env: this.parts.env });
  }
}

/**
 * Builds the namespaces, cables, addresses and routes of `spec`. Needs root. `parts` are those that the nodes' programs
 * come from, besides iproute2.
 */
export async function createTopology(spec: TopologySpec, parts?: Parts): Promise<Topology> {
  const from = parts ?? (await requireParts(['iproute2', 'ipvsadm', 'curl']));
  const prefix = `vk${process.pid}-${made++}`;
  const processes = new Set<LabProcess>();
  const nodes = Object.keys(spec.nodes).map((name): [string, NetNode] => [
    name,
    new NetNode(name, nodeNamespace(prefix, name), from, processes),
  ]);
  const topology = new Topology(from, new Map(nodes), namespacesOf(spec, prefix), processes);
  try {
    await runToEnd('sh', [], { input: setUpScript(spec, prefix), env: from.env, name: 'topology set-up' });
    return topology;
  } catch (error) {
    await topology.stop().catch(() => undefined);
    throw error;
  }
}
