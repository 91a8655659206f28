import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import type { AddressOp, InterfaceAddress, InterfaceAddresses } from '../../src/ipvs/addresses.ts';
import { createInterfaceAddresses } from '../../src/ipvs/create-dataplane.ts';
import { errnoOf } from '../../src/ipvs/kernel-refusal.ts';
import { MemoryInterfaceAddresses } from '../../src/ipvs/memory-interface-addresses.ts';
import { address } from '../contract/dataplane-samples.ts';

const run = promisify(execFile);
const INTERFACE = 'vip-test';

const add = (text: string, name = INTERFACE): AddressOp => ({
  kind: 'addAddress',
  interface: name,
  address: address(text),
});
const remove = (text: string, name = INTERFACE): AddressOp => ({
  kind: 'deleteAddress',
  interface: name,
  address: address(text),
});

interface IpAddressLine {
  readonly ifname: string;
  readonly addr_info: readonly {
    readonly local: string;
    readonly prefixlen: number;
    readonly scope: string;
    readonly label?: string;
    readonly tentative?: boolean;
  }[];
}

/** What `ip` says, independently. */
async function ipShows(): Promise<IpAddressLine['addr_info']> {
  const { stdout } = await run('ip', ['-j', 'address', 'show', 'dev', INTERFACE]);
  const lines = JSON.parse(stdout) as IpAddressLine[];
  // The kernel gives every interface that is up a link-local address.
  return lines.flatMap((line) => line.addr_info).filter(({ scope }) => scope !== 'link');
}

const SUBJECTS: readonly (readonly [string, () => Promise<InterfaceAddresses>])[] = [
  ['rtnetlink', () => Promise.resolve(createInterfaceAddresses('ipvs', { clock: systemClock, log: silentLog }))],
  [
    'memory',
    () =>
      Promise.resolve(
        new MemoryInterfaceAddresses({
          interfaces: ['lo', INTERFACE],
          addresses: [{ interface: 'lo', address: address('127.0.0.1'), prefixLength: 8, marked: false }],
        }),
      ),
  ],
];

describe.each(SUBJECTS)('interface addresses: %s', (name, create) => {
  let addresses: InterfaceAddresses;
  beforeAll(async () => {
    await run('ip', ['link', 'add', INTERFACE, 'type', 'dummy']);
  });
  afterAll(() => run('ip', ['link', 'delete', INTERFACE]));
  beforeEach(async () => {
    await run('ip', ['link', 'set', INTERFACE, 'up']);
    addresses = await create();
  });
  afterEach(async () => {
    await addresses.close();
    await run('ip', ['address', 'flush', 'dev', INTERFACE]);
  });

  async function read(): Promise<readonly InterfaceAddress[]> {
    const found = await addresses.read();
    if (!found.ok) throw found.error;
    return found.value.filter((each) => !each.address.startsWith('fe80:'));
  }

  async function outcomes(...ops: AddressOp[]): Promise<(string | null)[]> {
    const report = await addresses.apply(ops);
    expect(report.lost).toBeNull();
    return ops.map((op) => errnoOf(report.failed.find((each) => each.op === op)?.error));
  }

  it('adds and deletes host addresses of both families', async () => {
    expect(await outcomes(add('192.0.2.10'), add('2001:db8::10'))).toEqual([null, null]);
    expect((await read()).filter((each) => each.interface === INTERFACE)).toEqual([
      { interface: INTERFACE, address: '192.0.2.10', prefixLength: 32, marked: true },
      { interface: INTERFACE, address: '2001:db8::10', prefixLength: 128, marked: true },
    ]);
    if (name === 'rtnetlink') {
      const shown = await ipShows();
      expect(shown.map(({ local, prefixlen, scope }) => `${local}/${prefixlen} ${scope}`)).toEqual([
        '192.0.2.10/32 global',
        '2001:db8::10/128 global',
      ]);
      expect(shown.some(({ tentative }) => tentative === true)).toBe(false);
      expect(shown.map(({ label }) => label)).toEqual([`${INTERFACE}:vk`, undefined]);
    }
    expect(await outcomes(remove('192.0.2.10'), remove('2001:db8::10'))).toEqual([null, null]);
    expect((await read()).filter((each) => each.interface === INTERFACE)).toEqual([]);
  });

  it('reads what others set', async () => {
    const loopback = (await read()).find((each) => each.interface === 'lo' && each.prefixLength === 8);
    expect(loopback).toMatchObject({ address: '127.0.0.1', marked: false });
  });

  it('refuses by name, and goes on', async () => {
    expect(
      await outcomes(
        add('192.0.2.10'),
        add('192.0.2.10'),
        add('2001:db8::10'),
        add('2001:db8::10'),
        remove('192.0.2.99'),
        remove('2001:db8::99'),
        add('192.0.2.11', 'nosuch0'),
        add('192.0.2.11'),
      ),
    ).toEqual([null, 'EEXIST', null, 'EEXIST', 'EADDRNOTAVAIL', 'EADDRNOTAVAIL', 'ENODEV', null]);
  });
});
