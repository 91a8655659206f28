import { describe, expect, test } from 'vitest';
import { ServerNames } from '../../../src/sources/server-names.ts';
import type { Lookup } from '../../../src/sources/server-names.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

const clock = new ManualClock();
const zone = new Map<string, readonly string[]>();
const lookup: Lookup = (name) => {
  const found = zone.get(name);
  return found === undefined ? Promise.reject(new Error(`ENOTFOUND ${name}`)) : Promise.resolve(found);
};

function names(hosts: readonly string[], resolver = lookup, random = (): number => 0): ServerNames {
  return new ServerNames(
    hosts.map((host) => ({ host, port: 2181 })),
    { clock, random, lookup: resolver },
  );
}

async function addresses(of: ServerNames): Promise<string[]> {
  return (await of.resolve()).destinations.map(({ address }) => address);
}

describe('the names of servers', () => {
  test('addresses are taken as they are, at once', () => {
    const found = names(['10.0.0.1', '2001:db8::1']).resolve();
    expect(found).toEqual({
      destinations: [
        { host: '10.0.0.1', port: 2181, address: '10.0.0.1' },
        { host: '2001:db8::1', port: 2181, address: '2001:db8::1' },
      ],
      error: null,
    });
  });

  test('a name stands for all of its addresses, and keeps its own for the certificate', async () => {
    zone.set('zk', ['10.0.0.2', '10.0.0.1', '10.0.0.3']);
    const found = await names(['zk']).resolve();
    expect(found.destinations).toEqual(
      ['1', '2', '3'].map((n) => ({ host: 'zk', port: 2181, address: `10.0.0.${n}` })),
    );
  });

  test('the order is left to chance, and stays', async () => {
    zone.set('zk', ['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    const draws = [0.99, 0.99, 0.5, 0.1, 0, 0];
    const shuffled = names(['a', 'zk'], lookup, () => draws.shift() ?? 0);
    const first = await addresses(shuffled);
    expect(first).not.toEqual(['10.0.0.1', '10.0.0.2', '10.0.0.3']);
    zone.set('zk', ['10.0.0.3', '10.0.0.1', '10.0.0.2']);
    expect(await addresses(shuffled)).toEqual(first);
  });

  test('so is the order of the servers: a fleet does not all go to the first of the list', async () => {
    const hosts = ['10.0.0.1', '10.0.0.2', '10.0.0.3'];
    expect(await addresses(names(hosts, lookup, () => 0.99))).toEqual(['10.0.0.3', '10.0.0.2', '10.0.0.1']);
  });

  test('a name that changes is followed: what stays keeps its place, what is new comes after it', async () => {
    zone.set('zk', ['10.0.0.1', '10.0.0.2']);
    const followed = names(['zk']);
    expect(await addresses(followed)).toEqual(['10.0.0.1', '10.0.0.2']);
    zone.set('zk', ['10.0.0.0', '10.0.0.2']);
    expect(await addresses(followed)).toEqual(['10.0.0.2', '10.0.0.0']);
  });

  test('a name that cannot be resolved keeps what it had, and the others go on', async () => {
    zone.set('zk1', ['10.0.0.1']).set('zk2', ['10.0.0.2']);
    const kept = names(['zk1', 'zk2']);
    await kept.resolve();
    zone.delete('zk1');
    zone.set('zk2', ['10.0.0.9']);
    const found = await kept.resolve();
    expect(found.destinations.map(({ address }) => address)).toEqual(['10.0.0.1', '10.0.0.9']);
    expect(found.error).toMatch(/^zk1 cannot be resolved: .*ENOTFOUND zk1/);
    zone.set('zk1', []);
    expect(await kept.resolve()).toMatchObject({ error: 'zk1 has no address', destinations: [{}, {}] });
  });

  test('a name server that does not answer costs a second', async () => {
    zone.set('zk', ['10.0.0.1']);
    let silent = false;
    const slow = names(['zk'], (name) => (silent ? new Promise(() => undefined) : lookup(name)));
    await slow.resolve();
    silent = true;
    const found = slow.resolve();
    await clock.advanceAsync(1_000);
    expect(await found).toMatchObject({
      destinations: [{ address: '10.0.0.1' }],
      error: expect.stringContaining('no answer for 1000 ms') as unknown,
    });
    expect(clock.pendingTimers).toBe(0);
  });
});
