import { afterAll, beforeAll, expect, test } from 'vitest';
import { EtcdGateway } from '../lab/etcd-gateway.ts';
import { EtcdCluster } from '../lab/etcd.ts';
import { PokedReader } from '../lab/poked-reader.ts';
import { session, value } from '../system/contract-store.ts';
import { ROOT, connected, etcdSource } from './etcd-fixture.ts';

const ROUNDS = 3;
const EDITS = 25;

let cluster: EtcdCluster;

beforeAll(async () => {
  cluster = await EtcdCluster.start();
});
afterAll(async () => {
  await cluster.close();
});

/** Every edit makes a key of its own and is repeated until etcd has taken it: none may be missing in the end. */
test('etcd killed and restarted again and again: watching again, every edit seen, records kept', async () => {
  const member = cluster.member(0);
  const outside = new EtcdGateway(member.endpoint, ROOT);
  await outside.put('config/vips/web', '{}');
  const source = etcdSource(cluster.endpoints);
  const reader = new PokedReader(source);
  await connected(source);
  await value(source.publish(new Map([['state/health/web/lb1', Buffer.from('{"n":1}')]])));
  const lease = session(source);
  let made = 0;
  const edit = async (): Promise<void> => {
    const path = `config/services/s${made++}`;
    for (;;) {
      try {
        await outside.put(path, '{}');
        return;
      } catch {
        // etcd is down just now; the loop's next turn waits for the next attempt to fail or to pass.
      }
    }
  };
  for (let round = 1; round <= ROUNDS; round++) {
    for (let n = 0; n < EDITS; n++) await edit();
    const edits = (async (): Promise<void> => {
      for (let n = 0; n < EDITS; n++) await edit();
    })();
    await member.kill();
    await member.start();
    await member.ready();
    await outside.put('config/vips/web', `{"round":${round}}`);
    await reader.sees('config/vips/web', `{"round":${round}}`);
    await edits;
  }
  await reader.sees(`config/services/s${made - 1}`, '{}');
  await reader.idle();
  expect(reader.size).toBe(ROUNDS * EDITS * 2 + 1);
  expect(session(source)).toBe(lease);
  expect(await outside.get('state/health/web/lb1')).toBe('{"n":1}');
  await source.close({ keepEphemeral: false });
});
