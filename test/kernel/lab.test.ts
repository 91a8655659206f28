import { existsSync, readFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { Worker } from 'node:worker_threads';
import koffi from 'koffi';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { MODULES, SCHEDULERS } from '../lab/kernel-modules.ts';
import { insideLab } from '../lab/kernel.ts';
import { type Parts, requireParts } from '../lab/parts.ts';
import { runToEnd } from '../lab/process.ts';

describe('a kernel of the lab', () => {
  let parts: Parts;
  const run = (file: string, ...args: string[]): Promise<string> =>
    runToEnd(parts.binary(file), args, { env: parts.env });
  const restore = (lines: readonly string[]): Promise<string> =>
    runToEnd(parts.binary('ipvsadm'), ['-R'], { env: parts.env, input: `${lines.join('\n')}\n` });

  beforeAll(async () => {
    parts = await requireParts(['ipvsadm', 'iproute2', 'iptables', 'etcd', 'bird', 'zookeeper']);
  });

  afterEach(async () => {
    await run('ipvsadm', '-C');
  });

  it('says that it is one, and has IPVS', () => {
    expect(insideLab()).toBeDefined();
    expect(existsSync('/proc/net/ip_vs')).toBe(true);
  });

  it('has every scheduler', async () => {
    const lines = SCHEDULERS.map((name, index) => `-A -t 192.0.2.1:${8000 + index} -s ${name}`);
    await restore(lines);
    expect((await run('ipvsadm', '-Sn')).trim().split('\n').sort()).toEqual(lines.sort());
  });

  it('reads back a real with its forwarding and weight, of both families', async () => {
    const lines = [
      '-A -t 192.0.2.1:80 -s wrr',
      '-A -u [2001:db8::1]:53 -s rr',
      '-a -t 192.0.2.1:80 -r 198.51.100.7:8080 -m -w 5',
      '-a -u [2001:db8::1]:53 -r [2001:db8::7]:53 -g -w 1',
    ];
    await restore(lines);
    expect((await run('ipvsadm', '-Sn')).trim().split('\n').sort()).toEqual(lines);
  });

  it('keeps the IPVS table of another network namespace apart', async () => {
    await run('ip', 'netns', 'add', 'lab-apart');
    try {
      await run('ip', 'link', 'add', 'lab-a', 'type', 'veth', 'peer', 'name', 'lab-b', 'netns', 'lab-apart');
      await run('ip', 'netns', 'exec', 'lab-apart', parts.binary('ipvsadm'), '-A', '-f', '7', '-s', 'rr');
      expect(await run('ip', 'netns', 'exec', 'lab-apart', parts.binary('ipvsadm'), '-Sn')).toBe('-A -f 7 -s rr\n');
      expect(await run('ipvsadm', '-Sn')).toBe('');
    } finally {
      await run('ip', 'netns', 'del', 'lab-apart');
    }
  });

  it.runIf(insideLab() === 'uml')('has every module of the list', () => {
    const loaded = new Set(
      readFileSync('/proc/modules', 'utf8')
        .split('\n')
        .map((line) => line.split(' ')[0]),
    );
    const there = (name: string): boolean => loaded.has(name) || existsSync(`/sys/module/${name}`);
    expect(MODULES.filter((name) => !there(name))).toEqual([]);
  });

  it('has tunnels and packet marks', async () => {
    await run('ip', 'link', 'add', 'lab-ipip', 'type', 'ipip', 'remote', '192.0.2.9');
    await run('ip', 'fou', 'add', 'port', '6080', 'gue');
    await run('ip', 'link', 'del', 'lab-ipip');
    await run('ip', 'fou', 'del', 'port', '6080');
    const mark = ['PREROUTING', '-t', 'mangle', '-p', 'tcp', '--dport', '80', '-j', 'MARK', '--set-mark', '7'];
    await run('iptables-legacy', '-A', ...mark);
    await run('iptables-legacy', '-D', ...mark);
  });

  it('runs the servers that tests and the demo need', async () => {
    expect(await run('etcd', '--version')).toContain('etcd Version');
    expect(await run('bird', '--version')).toContain('BIRD version');
    expect(await run('java', '-version')).toContain('Runtime Environment');
  });

  it('lets this process call the C library and start threads', async () => {
    const getpid = koffi.load(null).func('int getpid()') as () => number;
    expect(getpid()).toBe(process.pid);
    const worker = new Worker(`require('node:worker_threads').parentPort.postMessage(6 * 7)`, { eval: true });
    const answer = await new Promise((resolve) => worker.once('message', resolve));
    expect(answer).toBe(42);
    await worker.terminate();
  });

  it.runIf(insideLab() === 'uml')('has a name and a scratch folder of its own', () => {
    expect(hostname()).toBe('vipkeeper-lab');
    expect(tmpdir()).toBe('/run/tmp');
    expect(existsSync('/dev/shm')).toBe(true);
    expect(existsSync('/dev/pts/ptmx')).toBe(true);
  });
});
