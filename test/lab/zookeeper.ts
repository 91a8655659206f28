import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, mkdirSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { mkdtemp } from 'node:fs/promises';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { eventually } from './eventually.ts';
import { freezeProcess } from './freeze.ts';
import { freePort } from './free-port.ts';
import { ZOOKEEPER_JARS } from './part-table.ts';
import { type Parts, requireParts } from './parts.ts';

export interface ZookeeperOptions {
  readonly members?: 1 | 3;
  /** The unit of the server's time: sessions last from 2 to 20 of them, and expiry is looked for once in each. */
  readonly tickMs?: number;
  /** Further lines of zoo.cfg, the same for every member. */
  readonly config?: readonly string[];
  /** Further -D options. */
  readonly properties?: readonly string[];
}

/** A small heap, one compiler tier and no admin server: up in a second, 65 MB. */
export const JVM_FLAGS = [
  '-Xms32m',
  '-Xmx192m',
  '-Xss256k',
  '-XX:+UseSerialGC',
  '-XX:TieredStopAtLevel=1',
  '-XX:ReservedCodeCacheSize=24m',
  '-XX:-UsePerfData',
  '-Dzookeeper.admin.enableServer=false',
  '-Dzookeeper.4lw.commands.whitelist=*',
  '-Dzookeeper.jmx.log4j.disable=true',
  '-Dzookeeper.extendedTypesEnabled=true',
  '-Dorg.slf4j.simpleLogger.defaultLogLevel=warn',
];

/** One real ZooKeeper process. Signals go to the process that was started here, never to another. */
export class ZookeeperMember {
  /** "127.0.0.1:41234", as clients want it. */
  readonly address: string;
  readonly #folder: string;
  readonly #parts: Parts;
  readonly #properties: readonly string[];
  #child: ChildProcess | undefined;

  constructor(address: string, folder: string, parts: Parts, properties: readonly string[]) {
    this.address = address;
    this.#folder = folder;
    this.#parts = parts;
    this.#properties = properties;
  }

  get running(): boolean {
    return this.#child !== undefined;
  }

  get pid(): number {
    const pid = this.#child?.pid;
    if (pid === undefined) throw new Error(`ZooKeeper at ${this.address} is not running`);
    return pid;
  }

  start(): void {
    const log = openSync(join(this.#folder, 'log'), 'a');
    const classPath = ZOOKEEPER_JARS.map((jar) => this.#parts.path(jar)).join(':');
    const args = [...JVM_FLAGS, ...this.#properties, '-cp', classPath];
    const child = spawn(
      this.#parts.binary('java'),
      [...args, 'org.apache.zookeeper.server.quorum.QuorumPeerMain', join(this.#folder, 'zoo.cfg')],
      { env: this.#parts.env, stdio: ['ignore', log, log] },
    );
    closeSync(log);
    child.once('exit', () => {
      if (this.#child === child) this.#child = undefined;
    });
    this.#child = child;
  }

  /** Resolves once the member serves clients: alone, or as leader or follower of a quorum. */
  async ready(): Promise<void> {
    await eventually(
      `ZooKeeper at ${this.address} serves`,
      async () => {
        if (!this.running) throw new Error(`ZooKeeper at ${this.address} ended:\n${this.log().slice(-2_000)}`);
        return (await this.command('srvr')).includes('Mode:');
      },
      { timeoutMs: 60_000 },
    );
  }

  /** SIGKILL, and waits until the process is gone. */
  async kill(): Promise<void> {
    const child = this.#child;
    if (child === undefined) return;
    const gone = once(child, 'exit');
    child.kill('SIGKILL');
    await gone;
  }

  /** The process stays and its sockets stay open, but nothing answers any more. */
  freeze(): void {
    freezeProcess(this.pid);
  }

  thaw(): void {
    process.kill(this.pid, 'SIGCONT');
  }

  /** Forgets every node and transaction; only while it is down. */
  wipe(): void {
    rmSync(join(this.#folder, 'data', 'version-2'), { recursive: true, force: true });
  }

  /** Asks one of the server's own four-letter questions, such as 'srvr' or 'cons'. */
  command(word: string): Promise<string> {
    return new Promise((resolve, reject) => {
      const [host = '', port = ''] = this.address.split(':');
      const socket = connect({ host, port: Number(port) }, () => socket.write(word));
      let answer = '';
      socket.setTimeout(10_000, () => socket.destroy(new Error(`no answer to ${word}`)));
      socket.on('data', (chunk: Buffer) => (answer += chunk.toString()));
      socket.once('error', reject);
      socket.once('close', () => resolve(answer));
    });
  }

  /**
   * Whether the server still holds a session, such as '0x100021211990000'. What `dump` tells of connections does not
   * count: when a session moves to another connection just as the old one closes, the server may lose sight of the new
   * one (NIOServerCnxnFactory.removeCnxnFromSessionMap), and lists it for ten seconds after the session has gone.
   */
  async holds(session: string): Promise<boolean> {
    const [sessions = ''] = (await this.command('dump')).split('Connections dump:');
    return sessions.includes(session);
  }

  log(): string {
    return readFileSync(join(this.#folder, 'log'), 'utf8');
  }
}

/** One or three real ZooKeeper processes on loopback addresses, with their data in a temporary folder. */
export class ZookeeperEnsemble {
  readonly members: readonly ZookeeperMember[];
  readonly #folder: string;
  readonly #onExit = (): void => {
    for (const member of this.members) if (member.running) process.kill(member.pid, 'SIGKILL');
    rmSync(this.#folder, { recursive: true, force: true });
  };

  private constructor(members: readonly ZookeeperMember[], folder: string) {
    this.members = members;
    this.#folder = folder;
    process.once('exit', this.#onExit);
  }

  static async start(options: ZookeeperOptions = {}): Promise<ZookeeperEnsemble> {
    const parts = await requireParts(['zookeeper']);
    // Between finding a port free and the server taking it, another process may have come first: then all start afresh.
    for (let attempt = 1; ; attempt++) {
      const folder = await mkdtemp(join(tmpdir(), 'vipkeeper-zookeeper-'));
      const ensemble = new ZookeeperEnsemble(await plan(options, folder, parts), folder);
      try {
        for (const member of ensemble.members) member.start();
        await Promise.all(ensemble.members.map((member) => member.ready()));
        return ensemble;
      } catch (error) {
        await ensemble.close();
        if (attempt === 3) throw error;
      }
    }
  }

  /** Every member's address. */
  get servers(): string[] {
    return this.members.map((member) => member.address);
  }

  member(index: number): ZookeeperMember {
    const member = this.members[index];
    if (member === undefined) throw new Error(`no member ${index}`);
    return member;
  }

  memberAt(address: string): ZookeeperMember {
    const member = this.members.find((each) => each.address === address);
    if (member === undefined) throw new Error(`no member at ${address}`);
    return member;
  }

  async close(): Promise<void> {
    process.removeListener('exit', this.#onExit);
    await Promise.all(this.members.map((member) => member.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

async function plan(options: ZookeeperOptions, folder: string, parts: Parts): Promise<ZookeeperMember[]> {
  const hosts = options.members === 3 ? ['127.0.0.11', '127.0.0.12', '127.0.0.13'] : ['127.0.0.1'];
  const seats = [];
  for (const host of hosts) {
    seats.push({ host, client: await freePort(host), peer: await freePort(host), election: await freePort(host) });
  }
  const quorum = seats.map((seat, index) => `server.${index + 1}=${seat.host}:${seat.peer}:${seat.election}`);
  return seats.map((seat, index) => {
    const own = join(folder, String(index + 1));
    mkdirSync(join(own, 'data'), { recursive: true });
    writeFileSync(join(own, 'data', 'myid'), String(index + 1));
    const lines = [
      `tickTime=${options.tickMs ?? 500}`,
      'initLimit=20',
      'syncLimit=10',
      `dataDir=${join(own, 'data')}`,
      `clientPort=${seat.client}`,
      `clientPortAddress=${seat.host}`,
      'maxClientCnxns=0',
      'preAllocSize=1024',
      'snapCount=50000',
      'forceSync=no',
      ...(seats.length > 1 ? quorum : []),
      ...(options.config ?? []),
    ];
    writeFileSync(join(own, 'zoo.cfg'), `${lines.join('\n')}\n`);
    return new ZookeeperMember(`${seat.host}:${seat.client}`, own, parts, options.properties ?? []);
  });
}
