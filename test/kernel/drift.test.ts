import { execFile } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { newCounters } from '../../src/agent/counters.ts';
import { JournalFile } from '../../src/agent/journal-file.ts';
import { noPacketMarks } from '../../src/ipvs/packet-marks.ts';
import { KernelDriver } from '../../src/agent/kernel-driver.ts';
import type { Desired, Drain } from '../../src/agent/policy/desired-state.ts';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createKernelPorts } from '../../src/ipvs/create-dataplane.ts';
import { configuration, real, service } from '../fakes/configurations.ts';
import { Decisions } from '../fakes/decisions.ts';
import { tempDir } from '../fakes/temp-dir.ts';
import { eventually } from '../lab/eventually.ts';

const run = promisify(execFile);
const deps = { clock: systemClock, log: silentLog };
const FOREIGN = ['-A -t 192.0.2.99:80 -s rr', '-a -t 192.0.2.99:80 -r 10.9.9.9:80 -g -w 5'];

async function ipvsadm(args: string): Promise<string[]> {
  const { stdout } = await run('ipvsadm', args.split(' '));
  return stdout.trim().split('\n').toSorted();
}

/** One director's hands, with a configuration that the test sets. */
class Director {
  readonly driver = new KernelDriver({
    open: (kind) => Promise.resolve({ ...createKernelPorts(kind, deps), marks: noPacketMarks }),
    journalFile: new JournalFile(tempDir(), deps),
    counters: newCounters(),
    ...deps,
  });
  readonly #decisions = new Decisions();
  desired: Desired;

  constructor(desired: Desired) {
    this.desired = desired;
  }

  /** One cycle. @param maxAgeMs 0 = with a reading */
  async pass(maxAgeMs = 0): Promise<void> {
    await this.driver.use('ipvs');
    await this.driver.refresh(maxAgeMs);
    await this.driver.watch();
    this.#decisions.actual = this.driver.picture()?.services ?? null;
    this.#decisions.now = systemClock.now();
    this.#decisions.monotonic = systemClock.monotonic();
    const effective = this.#decisions.decide(this.desired, { '10.0.0.1': 'up', '10.0.0.2': 'up', '127.0.0.1': 'up' });
    await this.driver.program(effective, 60_000);
  }

  found(): string[] {
    return this.driver.comparison().differences.map(({ text }) => text);
  }
}

let director: Director;

beforeEach(() => run('ipvsadm', ['--clear']));
afterEach(async () => {
  await director.driver.flush();
  await director.driver.close();
});

describe('what somebody else does to the kernel', () => {
  beforeEach(async () => {
    director = new Director(configuration([service('web', [real('a', '10.0.0.1'), real('b', '10.0.0.2')])]));
    await director.pass();
  });

  it.each([
    ['ipvsadm --clear', '--clear', ['service tcp 192.0.2.10:80 is gone']],
    [
      'ipvsadm -e with another weight',
      '-e -t 192.0.2.10:80 -r 10.0.0.1:80 -m -w 77',
      ['real 10.0.0.1:80 of tcp 192.0.2.10:80 was edited: weight 77 instead of 10'],
    ],
    ['ipvsadm -d', '-d -t 192.0.2.10:80 -r 10.0.0.2:80', ['real 10.0.0.2:80 of tcp 192.0.2.10:80 is gone']],
    ['ipvsadm -E with another scheduler', '-E -t 192.0.2.10:80 -s rr', ['service tcp 192.0.2.10:80 was edited']],
  ])('is found and mended in one cycle: %s', async (_what, command, found) => {
    const before = await ipvsadm('--save --numeric');
    await ipvsadm(command);
    expect(await ipvsadm('--save --numeric')).not.toEqual(before);
    await director.pass();
    expect(director.found()).toEqual(found);
    expect(await ipvsadm('--save --numeric')).toEqual(before);
    await director.pass();
    expect(director.found()).toEqual([]);
  });

  it('is mended where a VIP address was deleted', async () => {
    await run('ip', ['address', 'delete', '192.0.2.10/32', 'dev', 'lo']);
    await director.pass();
    expect(director.found()).toEqual(['address 192.0.2.10 on lo is gone']);
    const { stdout } = await run('ip', ['-brief', 'address', 'show', 'dev', 'lo']);
    expect(stdout).toContain('192.0.2.10/32');
  });

  it('is nobody’s business where the service is foreign', async () => {
    for (const line of FOREIGN) await ipvsadm(line);
    await director.pass();
    expect(director.found()).toEqual([]);
    expect(director.driver.report().foreign).toEqual(['tcp|192.0.2.99|80']);
    await ipvsadm('-e -t 192.0.2.99:80 -r 10.9.9.9:80 -g -w 6');
    await director.pass();
    expect(director.found()).toEqual([]);
    const lines = (await ipvsadm('--save --numeric')).filter((line) => line.includes('192.0.2.99'));
    expect(lines).toEqual(['-A -t 192.0.2.99:80 -s rr', '-a -t 192.0.2.99:80 -r 10.9.9.9:80 -g -w 6']);
  });
});

describe('a drain', () => {
  it('lets what is under way end, counts it, and takes the real out', async () => {
    const server = createSocket('udp4');
    server.bind(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address();
    await ipvsadm('--set 0 0 3');
    const match = { kind: 'ports', ports: [{ first: 53, last: 53 }], protocols: ['udp'] } as const;
    const dns = configuration([service('web', [real('a', '127.0.0.1', { port })], { match })]);
    director = new Director(dns);
    await director.pass();
    const client = createSocket('udp4');
    const arrived = once(server, 'message');
    client.send('hello', 53, '192.0.2.10');
    await arrived;

    const drain: Drain = {
      name: 'chg',
      target: { kind: 'real', service: 'web', real: 'a' },
      by: 'ana',
      why: 'kernel',
      until: null,
      onExpiry: 'undrain',
    };
    director.desired = { ...dns, drains: { chg: drain } };
    await director.pass(60_000);
    expect(await ipvsadm('--save --numeric')).toContain(`-a -u 192.0.2.10:53 -r 127.0.0.1:${port} -m -w 0`);
    // From its own time-out on, which starts anew with each packet, the kernel has forgotten the flow.
    const reads = director.driver.report().lastRead;
    await eventually('the flow is counted', async () => {
      await director.pass(60_000);
      const [leaving] = director.driver.report().leaving;
      return leaving?.real === 'a' && leaving.connections.inactive === 1;
    });
    await eventually('the flow is over, and the real is out', async () => {
      await director.pass(60_000);
      return director.driver.report().leaving.length === 0;
    });
    expect(await ipvsadm('--save --numeric')).toEqual(['-A -u 192.0.2.10:53 -s wlc']);
    expect(director.driver.report().lastRead).toBe(reads);
    director.desired = dns;
    await director.pass(60_000);
    expect(await ipvsadm('--save --numeric')).toContain(`-a -u 192.0.2.10:53 -r 127.0.0.1:${port} -m -w 10`);
    client.close();
    server.close();
    await ipvsadm('--set 900 120 300');
  });
});
