import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { freezeProcess } from './freeze.ts';
import { freePort } from './free-port.ts';
import { type Parts, requireParts } from './parts.ts';
import { LabProcess } from './process.ts';

export interface EtcdOptions {
  readonly members?: 1 | 3;
  /** Further flags of etcd, the same for every member. */
  readonly flags?: readonly string[];
  /** Clients must speak TLS; members among themselves do not. */
  readonly tls?: { readonly ca: string; readonly certificate: string; readonly key: string };
}

/** Raft timers that a busy small machine keeps, and that elect a leader in under a second. */
const TIMERS = ['--heartbeat-interval', '50', '--election-timeout', '500'];

/** One real etcd process. Signals go to the process that was started here, never to another. */
export class EtcdMember {
  readonly name: string;
  readonly endpoint: string;
  readonly #arguments: readonly string[];
  readonly #parts: Parts;
  readonly #tls: EtcdOptions['tls'];
  #process: LabProcess | undefined;

  constructor(name: string, endpoint: string, args: readonly string[], parts: Parts, tls: EtcdOptions['tls']) {
    this.name = name;
    this.endpoint = endpoint;
    this.#arguments = args;
    this.#parts = parts;
    this.#tls = tls;
  }

  get running(): boolean {
    return this.#process?.alive === true;
  }

  get pid(): number {
    return this.#started().pid;
  }

  async start(): Promise<void> {
    const env = { ...this.#parts.env, GOGC: '50' };
    this.#process = await LabProcess.start(this.#parts.binary('etcd'), this.#arguments, { env, name: this.name });
  }

  /** Resolves once the member answers for a cluster that has a leader. */
  async ready(): Promise<void> {
    const healthy = async (): Promise<boolean> => {
      if (this.#tls === undefined) return this.#healthy();
      // Says so by its exit status.
      await etcdctl(this.#parts, [this.endpoint], this.#tls, ['endpoint', 'health']);
      return true;
    };
    await this.#started().until(`${this.endpoint} is healthy`, healthy);
  }

  /** SIGKILL, and waits until the process is gone. */
  async kill(): Promise<void> {
    await this.#process?.stop();
    this.#process = undefined;
  }

  /** The process stays and its sockets stay open, but nothing answers any more. */
  freeze(): void {
    freezeProcess(this.#started().pid);
  }

  thaw(): void {
    this.#started().signal('SIGCONT');
  }

  #started(): LabProcess {
    if (this.#process === undefined) throw new Error(`${this.name} is not running`);
    return this.#process;
  }

  async #healthy(): Promise<boolean> {
    const reply = await fetch(`${this.endpoint}/health`, { signal: AbortSignal.timeout(1_000) });
    return (await reply.text()).includes('"true"');
  }
}

/** One or three real etcd processes on loopback addresses, with their data in a temporary folder. */
export class EtcdCluster {
  readonly members: readonly EtcdMember[];
  readonly #folder: string;
  readonly #parts: Parts;
  readonly #tls: EtcdOptions['tls'];

  private constructor(members: readonly EtcdMember[], folder: string, parts: Parts, tls: EtcdOptions['tls']) {
    this.members = members;
    this.#folder = folder;
    this.#parts = parts;
    this.#tls = tls;
  }

  static async start(options: EtcdOptions = {}): Promise<EtcdCluster> {
    const parts = await requireParts(['etcd', 'etcdctl']);
    // Between finding a port free and etcd taking it, another process may have come first: then all start afresh.
    for (let attempt = 1; ; attempt++) {
      const folder = await mkdtemp(join(tmpdir(), 'vipkeeper-etcd-'));
      const cluster = new EtcdCluster(await plan(options, folder, parts), folder, parts, options.tls);
      try {
        await Promise.all(cluster.members.map((member) => member.start()));
        await Promise.all(cluster.members.map((member) => member.ready()));
        return cluster;
      } catch (error) {
        await cluster.close();
        if (attempt === 3) throw error;
      }
    }
  }

  get endpoints(): string[] {
    return this.members.map((member) => member.endpoint);
  }

  member(index: number): EtcdMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`no member ${index}`);
    return member;
  }

  memberAt(endpoint: string): EtcdMember {
    const member = this.members.find((each) => each.endpoint.endsWith(endpoint.replace(/^https?:\/\//, '')));
    if (member === undefined) throw new Error(`no member at ${endpoint}`);
    return member;
  }

  /** etcd's own client, as a second opinion that shares no code with ours. Resolves to its standard output. */
  etcdctl(...args: string[]): Promise<string> {
    return etcdctl(this.#parts, this.endpoints, this.#tls, args);
  }

  async close(): Promise<void> {
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function plan(options: EtcdOptions, folder: string, parts: Parts): Promise<EtcdMember[]> {
  const hosts = options.members === 3 ? ['127.0.0.11', '127.0.0.12', '127.0.0.13'] : ['127.0.0.1'];
  const scheme = options.tls === undefined ? 'http' : 'https';
  const seats = [];
  for (const [index, host] of hosts.entries()) {
    const client = `${scheme}://${host}:${await freePort(host)}`;
    seats.push({ name: `n${index + 1}`, client, peer: `http://${host}:${await freePort(host)}` });
  }
  const initial = seats.map((seat) => `${seat.name}=${seat.peer}`).join(',');
  const tls = options.tls;
  return seats.map((seat) => {
    const args = [
      ...['--name', seat.name, '--data-dir', join(folder, seat.name)],
      ...['--listen-client-urls', seat.client, '--advertise-client-urls', seat.client],
      ...['--listen-peer-urls', seat.peer, '--initial-advertise-peer-urls', seat.peer],
      ...['--initial-cluster', initial, '--initial-cluster-token', folder, '--initial-cluster-state', 'new'],
      ...['--logger', 'zap', '--log-level', 'warn', '--enable-v2=false', ...TIMERS],
      ...(tls === undefined
        ? []
        : ['--cert-file', tls.certificate, '--key-file', tls.key, '--trusted-ca-file', tls.ca, '--client-cert-auth']),
      ...(options.flags ?? []),
    ];
    return new EtcdMember(seat.name, seat.client, args, parts, tls);
  });
}

async function etcdctl(
  parts: Parts,
  endpoints: readonly string[],
  tls: EtcdOptions['tls'],
  args: readonly string[],
): Promise<string> {
  const security = tls === undefined ? [] : ['--cacert', tls.ca, '--cert', tls.certificate, '--key', tls.key];
  const { stdout } = await promisify(execFile)(
    parts.binary('etcdctl'),
    ['--endpoints', endpoints.join(','), '--command-timeout', '5s', ...security, ...args],
    { env: { ...parts.env, ETCDCTL_API: '3' }, maxBuffer: 64 * 1024 * 1024 },
  );
  return stdout;
}
