import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { systemClock } from '../../../src/core/system-clock.ts';
import { IPVS_FAMILY } from '../../../src/ipvs/attributes.ts';
import type { ServiceMatch } from '../../../src/ipvs/dataplane.ts';
import { NetlinkClient } from '../../../src/ipvs/netlink/client.ts';
import { resolveFamily } from '../../../src/ipvs/netlink/family.ts';
import { readDestination } from '../../../src/ipvs/replies.ts';
import { IpvsRequests } from '../../../src/ipvs/requests.ts';
import { check, freshNamespace, openTransport } from './surroundings.ts';
import { EDITED_SERVICE, keepalivedText, REALS, REALS_PER_SERVICE, serviceNumber, SERVICES } from './workload.ts';

/** How often the kernel is asked. The question is about one service, which costs a small part of this. */
const LOOK_EVERY_MS = 5;
const PATIENCE_MS = 60_000;

export interface KeepalivedRound {
  /** From its start to the last of its reals in the kernel. */
  readonly startMs: number;
  /** From SIGHUP to the changed weight in the kernel, once for each of the edits. */
  readonly reloadMs: readonly number[];
}

/** keepalived in a namespace of its own, with the same services and no checkers, which would only slow it down. */
export async function keepalivedRound(reloads: number): Promise<KeepalivedRound> {
  await freshNamespace();
  const kernel = await Kernel.open();
  const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-keepalived-'));
  const config = join(folder, 'keepalived.conf');
  writeFileSync(config, keepalivedText(1));
  const start = performance.now();
  const daemon = startDaemon(config, folder);
  try {
    // It goes through its file in order, so the last service is the last to be filled.
    const last = serviceNumber(SERVICES - 1).match;
    await until(async () => (await kernel.weights(last)).length === REALS_PER_SERVICE);
    const startMs = performance.now() - start;
    check(countOfTable() === REALS, `${REALS} reals are in the kernel`);
    const edited = serviceNumber(EDITED_SERVICE).match;
    const reloadMs: number[] = [];
    for (let edit = 0; edit < reloads; edit++) {
      const weight = edit + 2;
      writeFileSync(config, keepalivedText(weight));
      // Whatever its last reload left to do is not part of this one.
      await pause(2_000);
      const begun = performance.now();
      daemon.kill('SIGHUP');
      await until(async () => (await kernel.weights(edited)).includes(weight));
      reloadMs.push(performance.now() - begun);
    }
    return { startMs, reloadMs };
  } finally {
    daemon.kill('SIGTERM');
    await once(daemon, 'exit');
    await kernel.close();
  }
}

function startDaemon(config: string, folder: string): ChildProcess {
  const files = ['pid', 'checkers_pid', 'vrrp_pid'].map((name) => `--${name}=${join(folder, name)}`);
  const args = ['--dont-fork', '--check', `--use-file=${config}`, ...files];
  return spawn('keepalived', args, { stdio: ['ignore', 'ignore', 'inherit'] });
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    if (performance.now() > end) throw new Error(`keepalived took longer than ${PATIENCE_MS} ms`);
    await pause(LOOK_EVERY_MS);
  }
}

/** Reals in /proc/net/ip_vs: the lines that begin with an arrow, less the one of the heading. */
function countOfTable(): number {
  const lines = readFileSync('/proc/thread-self/net/ip_vs', 'utf8').split('\n');
  return lines.filter((line) => line.startsWith('  -> ') && !line.includes('RemoteAddress')).length;
}

/** A look into one service of the kernel, by a socket of its own. */
class Kernel {
  readonly #client: NetlinkClient;
  readonly #requests: IpvsRequests;

  private constructor(client: NetlinkClient, requests: IpvsRequests) {
    this.#client = client;
    this.#requests = requests;
  }

  static async open(): Promise<Kernel> {
    const client = new NetlinkClient({ open: openTransport, clock: systemClock });
    const family = await resolveFamily(client, IPVS_FAMILY);
    if (!family.ok || family.value === null) throw new Error('the kernel does not know IPVS');
    return new Kernel(client, new IpvsRequests(family.value));
  }

  /** Weights of its reals; none while there is no such service. */
  async weights(match: ServiceMatch): Promise<number[]> {
    const found = await this.#client.dump(this.#requests.destinationsOf(match), ({ payload }) =>
      readDestination(payload, match.family),
    );
    return found.ok ? found.value.flatMap((one) => (one === null ? [] : [one.weight])) : [];
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}
