import { afterAll, beforeAll, expect, test } from 'vitest';
import { EtcdStoreClient } from '../../src/sources/etcd/client.ts';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { EtcdGateway } from '../lab/etcd-gateway.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { PokedReader } from '../lab/poked-reader.ts';
import { snapshot, value } from '../system/contract-store.ts';
import { ROOT, connected, etcdSource } from './etcd-fixture.ts';

/** gRPC's default limit of one message is 4 MB; these records make 8 MB. */
const RECORDS = 80;
const record = (n: number): string => JSON.stringify({ n, filler: 'x'.repeat(100_000) });

let cluster: EtcdCluster;
let proxy: ChaosProxy;
let outside: EtcdGateway;

beforeAll(async () => {
  cluster = await EtcdCluster.start();
  proxy = await ChaosProxy.start(cluster.member(0).endpoint.replace('http://', ''));
  outside = new EtcdGateway(cluster.member(0).endpoint, ROOT);
  await outside.put('config/vips/marker', '{}');
});
afterAll(async () => {
  await proxy.close();
  await cluster.close();
});

test('8 MB written while the connection was broken are all there afterwards', async () => {
  const source = etcdSource([proxy.address]);
  const reader = new PokedReader(source);
  await connected(source);
  proxy.deaf(true);
  proxy.cut();
  await eventually('the break is noticed', () => source.state().kind === 'connecting');
  for (let n = 0; n < RECORDS; n++) await outside.put(`config/services/s${n}`, record(n));
  proxy.deaf(false);
  await reader.sees(`config/services/s${RECORDS - 1}`, record(RECORDS - 1));
  await reader.idle();
  for (let n = 0; n < RECORDS; n++) expect(reader.get(`config/services/s${n}`)).toBe(record(n));
  await source.close({ keepEphemeral: false });
});

test('8 MB of events that pile up in a stalled watch do not end it silently', async () => {
  const source = etcdSource([proxy.address], { leaseTtlMs: 60_000 });
  const reader = new PokedReader(source);
  await connected(source);
  await reader.sees('config/vips/marker', '{}');
  proxy.stall();
  for (let n = 0; n < RECORDS; n++) await outside.put(`config/services/s${n}`, record(n + 1));
  proxy.resume();
  await reader.sees(`config/services/s${RECORDS - 1}`, record(RECORDS));
  await outside.put('config/vips/marker', '{"n":1}');
  await reader.sees('config/vips/marker', '{"n":1}');
  await source.close({ keepEphemeral: false });
});

test('operators list it, too', async () => {
  const client = new EtcdStoreClient({ endpoints: cluster.endpoints, root: ROOT, leaseTtlMs: 10_000 });
  expect(await value(client.list('config/services'))).toHaveLength(RECORDS);
  await client.close();
});

test('a record that etcd will not take is refused with a name for it', async () => {
  const source = etcdSource(cluster.endpoints);
  await connected(source);
  const small = Buffer.from('{}');
  const tooLarge = await source.publish(
    new Map([
      ['state/health/huge/lb1', Buffer.alloc(2 * 1024 * 1024, 'x')],
      ['state/health/small/lb1', small],
    ]),
  );
  expect(tooLarge).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
  expect(await outside.get('state/health/small/lb1')).toBe('{}');
  const client = new EtcdStoreClient({ endpoints: cluster.endpoints, root: ROOT, leaseTtlMs: 10_000 });
  const huge = { kind: 'put', path: 'config/vips/huge', bytes: Buffer.alloc(2 * 1024 * 1024, 'x') } as const;
  expect(await client.write([huge])).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
  const many = Array.from(
    { length: 129 },
    (_, n) => ({ kind: 'put', path: `config/vips/v${n}`, bytes: small }) as const,
  );
  expect(await client.write(many)).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
  expect((await snapshot(source)).records.has('config/vips/v0')).toBe(false);
  await client.close();
  await source.close({ keepEphemeral: false });
});
