import { afterAll, beforeAll, expect, test } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { EtcdSource } from '../../src/sources/etcd/source.ts';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { freePort } from '../lab/free-port.ts';
import { session } from '../system/contract-store.ts';
import { ROOT, connected, etcdSource } from './etcd-fixture.ts';

// One name for the whole cluster, as an orchestrator gives it: its addresses come and go while we are connected.
let cluster: EtcdCluster;
let first: ChaosProxy;
let second: ChaosProxy;
let port: number;
let zone: readonly string[];

beforeAll(async () => {
  cluster = await EtcdCluster.start();
  port = await freePort('127.0.0.21');
  const target = cluster.member(0).endpoint.replace('http://', '');
  first = await ChaosProxy.start(target, { host: '127.0.0.21', port });
  second = await ChaosProxy.start(target, { host: '127.0.0.22', port });
});
afterAll(async () => {
  await first.close();
  await second.close();
  await cluster.close();
});

function openSource(): EtcdSource {
  const lookup = (): Promise<readonly string[]> => Promise.resolve(zone);
  const settings = { endpoints: [`http://etcd.example:${port}`], root: ROOT, leaseTtlMs: 6_000 };
  const source = new EtcdSource(settings, { clock: systemClock, random: () => 0, log: silentLog, lookup });
  source.start();
  return source;
}

async function connectedTo(source: EtcdSource, address: string): Promise<string> {
  await eventually(`connected to ${address}`, () => {
    const state = source.state();
    return state.kind === 'connected' && state.server === `${address}:${port}`;
  });
  return session(source);
}

test('a name that leads elsewhere is followed, with the lease', async () => {
  zone = ['127.0.0.21'];
  const source = openSource();
  const lease = await connectedTo(source, '127.0.0.21');
  zone = ['127.0.0.22'];
  first.deaf(true);
  first.cut();
  expect(await connectedTo(source, '127.0.0.22')).toBe(lease);
  first.deaf(false);
  await source.close({ keepEphemeral: false });
});

test('of several addresses of one name the one that is silent is left for the next', async () => {
  zone = ['127.0.0.21', '127.0.0.22'];
  first.stall();
  const source = openSource();
  await connectedTo(source, '127.0.0.22');
  first.resume();
  await source.close({ keepEphemeral: false });
});

test('an IPv6 address in brackets is dialled as it stands', async () => {
  const proxy = await ChaosProxy.start(cluster.member(0).endpoint.replace('http://', ''), { host: '::1', port });
  const source = etcdSource([`http://[::1]:${port}`]);
  await connected(source);
  expect(source.state()).toMatchObject({ server: `[::1]:${port}` });
  await source.close({ keepEphemeral: false });
  await proxy.close();
});
