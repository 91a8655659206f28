import { expect, it } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import { AgentWorld, WEB } from '../../fakes/agent-world.ts';

it('without CAP_NET_ADMIN is not ready, says why in the words of the kernel, and announces nothing', async () => {
  const world = new AgentWorld();
  world.host.disturb = () => 'EPERM';
  const run = await world.start();
  expect(run.status().ready).toBe(false);
  expect(run.status().notReady[0]).toMatch(/^dataplane: .*EPERM.*CAP_NET_ADMIN/);
  expect(run.speaker.announced).toEqual([]);
  expect(run.status().vips).toMatchObject([{ advertised: false }]);
  world.host.disturb = () => null;
  await world.pass(31_000);
  expect(run.status()).toMatchObject({ ready: true, notReady: [] });
  expect(run.speaker.announced).toEqual(['192.0.2.10']);
});

it('keeps announcing what the kernel served before it could no longer be read, and still withdraws', async () => {
  const world = new AgentWorld();
  const run = await world.start();
  world.host.unreadable = new CodedError('NETLINK_REFUSED', 'EPERM');
  await world.pass(120_000);
  expect(run.speaker.announced).toEqual(['192.0.2.10']);
  expect(run.status()).toMatchObject({ ready: false, vips: [{ advertised: true }] });
  world.put('vips/shop', {
    addresses: ['192.0.2.10'],
    interface: 'lo',
    silenced: { by: 'ana', why: 'the kernel is broken' },
  });
  await world.pass(0);
  expect(run.speaker.announced).toEqual([]);
});

it('that refuses one service serves and announces the others', async () => {
  const world = new AgentWorld(undefined, { schedulers: ['wlc'] });
  world.put('vips/odd', { addresses: ['192.0.2.20'], interface: 'lo' });
  world.put('services/odd', { vip: 'odd', match: { ports: ['80'] }, scheduler: 'mh' });
  world.put('services/odd/reals/a', { address: '10.0.0.1' });
  const run = await world.start();
  expect(run.speaker.announced).toEqual(['192.0.2.10']);
  expect(Object.keys(await world.host.table())).toEqual([WEB]);
  expect(run.status().notReady[0]).toMatch(/tcp 192\.0\.2\.20:80.*modprobe ip_vs_mh/);
});
