import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane } from '../../src/ipvs/create-dataplane.ts';
import type { Dataplane, DataplaneOp, DataplaneState, ServiceMatch } from '../../src/ipvs/dataplane.ts';
import { serviceKeyOf } from '../../src/ipvs/dataplane.ts';
import { runToEnd } from '../lab/process.ts';

const WEB_REAL = join(import.meta.dirname, '../lab/web-real.mjs');
const UDP_REAL = `const s = require('dgram').createSocket('udp6');
s.on('message', (_, { port, address }) => s.send(process.argv[1], port, address));
s.bind(53, () => console.log('listening'));`;

/** Hosts beside the director, which is the network namespace that the tests run in: name -> number of its network. */
const HOSTS = { client: 1, a: 2, b: 3 } as const;
export type Host = keyof typeof HOSTS;

export const addressOf = (host: Host): string => `10.${HOSTS[host]}.0.2`;
export const address6Of = (host: Host): string => `fd00:${HOSTS[host]}::2`;

/** A director with a client and two reals, each on a wire of its own and with the director as its way to everywhere. */
export class Director {
  readonly dataplane: Dataplane;
  readonly #processes: ChildProcess[] = [];

  private constructor(dataplane: Dataplane) {
    this.dataplane = dataplane;
  }

  static async start(): Promise<Director> {
    const lines = ['echo 1 >/proc/sys/net/ipv4/ip_forward', 'echo 1 >/proc/sys/net/ipv6/conf/all/forwarding'];
    for (const [host, number] of Object.entries(HOSTS)) {
      const inside = `nsenter --net=/run/netns/${host}`;
      lines.push(
        `ip netns add ${host}`,
        `ip link add to-${host} type veth peer name eth0 netns ${host}`,
        `ip address add 10.${number}.0.1/24 dev to-${host}`,
        `ip address add fd00:${number}::1/64 dev to-${host} nodad`,
        `ip link set to-${host} up`,
        `${inside} ip link set lo up`,
        `${inside} ip address add 10.${number}.0.2/24 dev eth0`,
        `${inside} ip address add fd00:${number}::2/64 dev eth0 nodad`,
        `${inside} ip link set eth0 up`,
        `${inside} ip route add default via 10.${number}.0.1`,
        `${inside} ip route add default via fd00:${number}::1`,
      );
    }
    await runToEnd('sh', ['-e'], { input: lines.join('\n') });
    const director = new Director(createDataplane('nftables', { clock: systemClock, log: silentLog }));
    for (const real of ['a', 'b'] as const) {
      await director.#serve(real, [WEB_REAL, real, '80']);
      await director.#serve(real, ['-e', UDP_REAL, real]);
    }
    return director;
  }

  async stop(): Promise<void> {
    for (const child of this.#processes) child.kill('SIGKILL');
    await this.dataplane.close();
    await runToEnd('sh', ['-e'], {
      input: Object.keys(HOSTS)
        .map((host) => `ip netns del ${host}`)
        .join('\n'),
    });
  }

  async apply(...ops: readonly DataplaneOp[]): Promise<void> {
    const { failed, lost } = await this.dataplane.apply(ops);
    const [error] = [...failed.map((each) => each.error), lost].filter((each) => each !== null);
    if (error !== undefined) throw error;
  }

  async read(): Promise<DataplaneState> {
    const state = await this.dataplane.read();
    if (!state.ok) throw state.error;
    return state.value;
  }

  /** Connections of each real by its key: those that go on, and those that were begun. */
  async activity(match: ServiceMatch): Promise<Record<string, { readonly active: number; readonly begun: number }>> {
    const found = (await this.read()).get(serviceKeyOf(match))?.destinations ?? [];
    return Object.fromEntries(
      Array.from(found, ([key, { activity }]) => {
        return [key, { active: activity.activeConnections, begun: Number(activity.stats.connections) }];
      }),
    );
  }

  /** Who answered `count` requests, each on a connection of its own: name -> how often. */
  async answers(url: string, count: number, from: Host | 'director' = 'client'): Promise<Record<string, number>> {
    const words = ['curl', '-sS', '-g', '--max-time', '30', '-H', 'Connection: close'];
    const text = await this.run(from, [...words, ...Array<string>(count).fill(url)]);
    const tally: Record<string, number> = {};
    for (const name of text.trim().split('\n')) tally[name] = (tally[name] ?? 0) + 1;
    return tally;
  }

  run(where: Host | 'director', words: readonly string[]): Promise<string> {
    const [file = '', ...args] = words;
    if (where === 'director') return runToEnd(file, args);
    return runToEnd('nsenter', [`--net=/run/netns/${where}`, '--', ...words]);
  }

  nft(...lines: readonly string[]): Promise<string> {
    return runToEnd('nft', ['-f', '-'], { input: lines.join('\n') });
  }

  async #serve(host: Host, args: readonly string[]): Promise<void> {
    const words = [`--net=/run/netns/${host}`, '--', process.execPath, ...args];
    const child = spawn('nsenter', words, { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#processes.push(child);
    await once(child.stdout, 'data');
  }
}
