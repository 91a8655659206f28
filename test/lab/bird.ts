import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createConnection } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IpAddress } from '../../src/model/address.ts';
import { freePort } from './free-port.ts';
import { requireParts } from './parts.ts';
import { LabProcess } from './process.ts';
import { type LabRoute, type LabRouter, type RouterOptions, splitCommunities, splitPath } from './router.ts';

/** BIRD 2 as a passive router. */
export class Bird implements LabRouter {
  readonly kind = 'bird';
  readonly address: IpAddress;
  readonly port: number;
  readonly asn: number;
  readonly #process: LabProcess;
  readonly #folder: string;

  private constructor(options: RouterOptions, port: number, process: LabProcess, folder: string) {
    this.address = options.address as IpAddress;
    this.port = port;
    this.asn = options.asn;
    this.#process = process;
    this.#folder = folder;
  }

  static async start(options: RouterOptions): Promise<Bird> {
    const parts = await requireParts(['bird']);
    const port = options.port ?? (await freePort(options.address));
    const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-bird-'));
    writeFileSync(join(folder, 'bird.conf'), configuration(options, port));
    const args = ['-f', '-c', join(folder, 'bird.conf'), '-s', join(folder, 'ctl'), '-P', join(folder, 'pid')];
    const process = await LabProcess.start(parts.binary('bird'), args, { env: parts.env });
    const bird = new Bird(options, port, process, folder);
    await process.until('answers', async () => (await bird.command('show status')).includes('Daemon is up'));
    return bird;
  }

  get pid(): number {
    return this.#process.pid;
  }

  /**
   * One command over the control socket. Replies are lines of "NNNN-text", continuation lines start with a space, and
   * a line of "NNNN text" ends the reply (BIRD's doc/reply_codes).
   */
  command(text: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const socket = createConnection(join(this.#folder, 'ctl'));
      let reply = '';
      socket.setEncoding('utf8');
      socket.once('connect', () => socket.write(`${text}\n`));
      socket.once('error', reject);
      socket.on('data', (chunk: string) => {
        reply += chunk;
        // The greeting (0001) ends like a reply.
        const ends = [...reply.matchAll(/^\d{4}(?: .*)?\n/gm)];
        if (ends.length < 2) return;
        socket.destroy();
        resolve(reply);
      });
    });
  }

  /** Routes imported from the agent: cheaper than listing them. */
  async importedCount(): Promise<number> {
    const status = await this.command('show protocols all agent');
    return [...status.matchAll(/Routes:\s+(\d+) imported/g)].reduce((sum, match) => sum + Number(match[1]), 0);
  }

  async isEstablished(): Promise<boolean> {
    return (await this.command('show protocols agent')).includes('Established');
  }

  async routes(): Promise<ReadonlyMap<string, LabRoute>> {
    const found = new Map<string, LabRoute>();
    let prefix = '';
    for (const line of (await this.command('show route all protocol agent')).split('\n')) {
      const start = /^(?:\d{4}-|\s)?([0-9a-f:.]+\/\d+)\s/.exec(line)?.[1];
      if (start !== undefined) {
        prefix = start;
        found.set(prefix, EMPTY);
      }
      const [, name, value] = /BGP\.(\w+): (.*)$/.exec(line) ?? [];
      const route = found.get(prefix);
      if (name !== undefined && value !== undefined && route !== undefined) {
        found.set(prefix, { ...route, ...field(name, value) });
      }
    }
    return found;
  }

  log(): string {
    return this.#process.log();
  }

  freeze(): void {
    this.#process.signal('SIGSTOP');
  }

  thaw(): void {
    this.#process.signal('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.#process.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const EMPTY: LabRoute = {
  nextHop: '',
  med: null,
  localPref: null,
  communities: [],
  largeCommunities: [],
  asPath: [],
};

function field(name: string, value: string): Partial<LabRoute> {
  switch (name) {
    case 'next_hop':
      return { nextHop: value.split(' ')[0] ?? '' };
    case 'med':
      return { med: Number(value) };
    case 'local_pref':
      return { localPref: Number(value) };
    case 'community':
      return { communities: splitCommunities(value) };
    case 'large_community':
      return { largeCommunities: splitCommunities(value) };
    case 'as_path':
      return { asPath: splitPath(value) };
    default:
      return {};
  }
}

function configuration(options: RouterOptions, port: number): string {
  const { address, asn, agentAddress, agentAsn, holdTimeS = 9 } = options;
  const key = options.password === undefined ? '' : `password "${options.password}";`;
  const hops = options.ttlSecurity === true ? 'multihop 1; ttl security on;' : 'multihop;';
  // "error wait time": else a session that ended in an error is refused for a minute.
  return `
log stderr all; router id 10.0.0.11; timeformat protocol iso long us; timeformat log iso long us;
protocol device {}
protocol bgp agent {
  debug { states, events };
  local ${address} port ${port} as ${asn}; neighbor ${agentAddress} as ${agentAsn}; passive; strict bind;
  ${hops} ${key}
  hold time ${holdTimeS}; keepalive time ${Math.max(1, Math.floor(holdTimeS / 3))}; graceful restart aware;
  error wait time 1,1; error forget time 1;
  ipv4 { import all; export none; };
  ipv6 { import all; export none; };
}
`;
}
