import { afterAll, beforeAll, expect, it } from 'vitest';
import { join } from 'node:path';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane, createSettings } from '../../src/ipvs/create-dataplane.ts';
import type { KernelSetting } from '../../src/ipvs/settings/settings.ts';
import { addReal, addService, address, match, real, service } from '../contract/dataplane-samples.ts';
import { eventually } from '../lab/eventually.ts';
import { enterNetworkNamespace } from '../lab/network-namespace.ts';
import { createTopology, type Topology } from '../lab/topology.ts';

const WEB = join(import.meta.dirname, '../lab/web-real.mjs');
const VIP = '203.0.113.10';
const deps = { clock: systemClock, log: silentLog };

let net: Topology;
const leaving: (() => void)[] = [];

/** A director that serves, and one that stands by on the same link. */
beforeAll(async () => {
  net = await createTopology({
    nodes: {
      client: { routes: ['default via 10.1.0.1'] },
      lb: { router: true, addresses: [`${VIP}/32`] },
      spare: { router: true },
      a: { routes: ['default via 10.2.0.1'] },
    },
    segments: {
      front: { client: '10.1.0.2/24', lb: '10.1.0.1/24' },
      back: { lb: '10.2.0.1/24', spare: '10.2.0.3/24', a: '10.2.0.11/24' },
    },
  });
  const web = await net.node('a').start('node', [WEB, 'a', '80']);
  await web.until('listens', () => web.log().includes('listening'));
});
afterAll(async () => {
  for (const leave of leaving) leave();
  await net.stop();
});

/** Sets a daemon of a director, and takes it away again. */
async function within(node: string, setting: KernelSetting, work: () => Promise<void>): Promise<void> {
  const leave = enterNetworkNamespace(net.node(node).namespace);
  const settings = await createSettings('ipvs', deps);
  const report = await settings?.apply([setting]);
  leave();
  expect(report).toMatchObject({ failed: [], lost: null });
  await work();
  await settings?.close();
}

const daemon = { interface: 'back', id: 7, group: address('224.0.0.81'), port: 8_848, ttl: 1, maxlen: null };

it('hands connections of one director to another, by the sync daemons that records ask for', async () => {
  const leave = enterNetworkNamespace(net.node('lb').namespace);
  leaving.push(leave);
  const dataplane = createDataplane('ipvs', deps);
  const web = match('tcp', VIP, 80);
  const { failed } = await dataplane.apply([addService(service(web)), addReal(web, real('10.2.0.11', 80))]);
  expect(failed).toEqual([]);
  leaving.pop()?.();
  await within('spare', { kind: 'sync', role: 'backup', daemon }, () =>
    within('lb', { kind: 'sync', role: 'master', daemon }, async () => {
      const spare = () => net.node('spare').run('ipvsadm', ['-Lnc']);
      expect(await spare()).not.toContain(VIP);
      const download = await net.node('client').start('curl', ['-sSN', `http://${VIP}/drip?ms=20000&chunks=100`]);
      await eventually('the spare director knows the connection', async () => {
        return new RegExp(`TCP .* ESTABLISHED 10\\.1\\.0\\.2:\\d+ +${VIP}:80 +10\\.2\\.0\\.11:80`).test(await spare());
      });
      await download.kill();
    }),
  );
  await dataplane.close();
});
