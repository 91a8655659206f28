import { afterAll, beforeAll, expect, test } from 'vitest';
import { EtcdGateway } from '../lab/etcd-gateway.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { PokedReader } from '../lab/poked-reader.ts';
import { ROOT, connected, etcdSource } from './etcd-fixture.ts';

// More keys than one request asks for (20,000): the pages must be of one revision, without a gap between them.
const LONG = process.env['VIPKEEPER_LONG'] === '1';
const KEYS = LONG ? 100_000 : 20_500;
/** What etcd takes in one transaction. */
const AT_ONCE = 128;

let cluster: EtcdCluster;
let outside: EtcdGateway;

beforeAll(async () => {
  cluster = await EtcdCluster.start();
  outside = new EtcdGateway(cluster.member(0).endpoint, ROOT);
});
afterAll(async () => {
  await cluster.close();
});

test(`a tree of ${KEYS} keys is read whole and followed`, { timeout: LONG ? 300_000 : 60_000 }, async () => {
  const paths = Array.from({ length: KEYS }, (_, n) => `config/services/s${n % 100}/reals/r${n}`);
  const batches = Array.from({ length: Math.ceil(KEYS / AT_ONCE) }, (_, n) =>
    paths.slice(n * AT_ONCE, (n + 1) * AT_ONCE),
  );
  const writer = async (): Promise<void> => {
    for (let batch = batches.pop(); batch !== undefined; batch = batches.pop()) await outside.putAll(batch, '{}');
  };
  await Promise.all(Array.from({ length: 8 }, writer));
  const source = etcdSource(cluster.endpoints);
  const reader = new PokedReader(source);
  await connected(source);
  await reader.sees('config/services/s99/reals/r20499', '{}');
  await reader.idle();
  expect(reader.size).toBe(KEYS);
  // In the first page, and in the last.
  await outside.put('config/services/s0/reals/r0', '{"edit":1}');
  await reader.sees('config/services/s0/reals/r0', '{"edit":1}');
  await outside.remove('config/services/s99/reals/r20499');
  await outside.put('config/services/s99/reals/r99', '{"edit":2}');
  await reader.sees('config/services/s99/reals/r99', '{"edit":2}');
  await reader.idle();
  expect(reader.size).toBe(KEYS - 1);
  await source.close({ keepEphemeral: false });
});
