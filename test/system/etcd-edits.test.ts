import { afterAll, beforeAll, expect, test } from 'vitest';
import { ROOT, connected, etcdSource } from '../fault/etcd-fixture.ts';
import { ChaosProxy } from '../lab/chaos-proxy.ts';
import { EtcdGateway } from '../lab/etcd-gateway.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { eventually } from '../lab/eventually.ts';
import { PokedReader } from '../lab/poked-reader.ts';

const SERVICES = 100;
const KEYS = 10_000;
/**
 * What a watch is told is split where it is larger than a request may be by 512 kB (etcd: v3rpc/watch.go, sendFragments;
 * grpc.go, grpcOverheadBytes). The deletion of 5,400 keys with names as long as these is 800 kB.
 */
const FLAGS = ['--max-request-bytes', '40000'];
const path = (n: number): string => `config/services/s${n % SERVICES}/reals/r${String(n).padStart(100, '0')}`;

let cluster: EtcdCluster;
let proxy: ChaosProxy;
let outside: EtcdGateway;

beforeAll(async () => {
  cluster = await EtcdCluster.start({ flags: FLAGS });
  proxy = await ChaosProxy.start(cluster.member(0).endpoint.replace('http://', ''));
  outside = new EtcdGateway(cluster.member(0).endpoint, ROOT);
});
afterAll(async () => {
  await proxy.close();
  await cluster.close();
});

/** Readings that the member has answered to anybody since it started, as it counts them itself. */
async function rangesAnswered(): Promise<number> {
  const text = await (await fetch(`${cluster.member(0).endpoint}/metrics`)).text();
  const lines = text.split('\n').filter((line) => /^grpc_server_handled_total\{.*grpc_method="Range"/.test(line));
  if (lines.length === 0) throw new Error('etcd counts no readings');
  return lines.reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' '))), 0);
}

test(`an edit among ${KEYS} keys is followed without a reading, and a break of the watch with one`, async () => {
  for (let at = 0; at < KEYS; at += 100) {
    await outside.putAll(
      Array.from({ length: 100 }, (_, n) => path(at + n)),
      '{}',
    );
  }
  const source = etcdSource([proxy.address]);
  const reader = new PokedReader(source);
  const sizes = new Set<number>();
  source.onChange(() => {
    void source.snapshot().then((read) => sizes.add(read.ok ? read.value.records.size : -1));
  });
  await connected(source);
  await reader.sees(path(KEYS - 1), '{}');
  await reader.idle();
  expect(reader.size).toBe(KEYS);
  sizes.clear();

  const before = await rangesAnswered();
  for (let n = 1; n <= 20; n++) {
    await outside.put(path(n), `{"weight":${n}}`);
    await reader.sees(path(n), `{"weight":${n}}`);
  }
  await outside.put('config/services/s100/reals/new', '{}');
  await reader.sees('config/services/s100/reals/new', '{}');
  await outside.remove('config/services/s100/reals/new');
  await outside.putAll([path(1), path(2)], '{"weight":7}');
  await reader.sees(path(2), '{"weight":7}');
  await eventually('the new real is gone again', () => reader.size === KEYS);
  await reader.idle();
  expect(reader.get(path(1))).toBe('{"weight":7}');

  // 54 of the services in one transaction, whose events come in pieces.
  sizes.clear();
  await outside.removeRange('config/services/s50', 'config/services/s:');
  await eventually('half of the keys are gone', () => reader.size < KEYS);
  await reader.idle();
  expect([...sizes]).toEqual([4_600]);
  expect(await rangesAnswered()).toBe(before);

  proxy.deaf(true);
  proxy.cut();
  await eventually('the connection is lost', () => source.state().kind === 'connecting');
  await outside.put(path(3), '{"missed":true}');
  proxy.deaf(false);
  await reader.sees(path(3), '{"missed":true}');
  expect(await rangesAnswered()).toBeGreaterThan(before);
  await source.close({ keepEphemeral: false });
});

test('a source has one connection, and shares it with no other', async () => {
  // One of its own: a link that was closed while it connected goes on with that for up to a second (etcd3).
  const counting = await ChaosProxy.start(cluster.member(0).endpoint.replace('http://', ''));
  const sources = [etcdSource([counting.address]), etcdSource([counting.address])];
  const opened: number[] = [];
  for (const [index, source] of sources.entries()) {
    await connected(source);
    expect(await source.snapshot()).toMatchObject({ ok: true });
    const record = new Map([[`state/agents/lb${index}`, Buffer.from('{}')]]);
    expect(await source.publish(record)).toMatchObject({ ok: true });
    opened.push(counting.open);
  }
  expect(opened).toEqual([1, 2]);
  for (const source of sources) await source.close({ keepEphemeral: false });
  await counting.close();
});
