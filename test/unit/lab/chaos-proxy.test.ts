import { createServer, connect } from 'node:net';
import type { AddressInfo, Socket } from 'node:net';
import { once } from 'node:events';
import { afterEach, expect, test } from 'vitest';
import { ChaosProxy } from '../../lab/chaos-proxy.ts';

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

test('a stream that is cut while its pieces still wait keeps its order, as every TCP stream does', async () => {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  cleanups.push(() => server.close());
  const proxy = await ChaosProxy.start(`127.0.0.1:${(server.address() as AddressInfo).port}`);
  cleanups.push(() => proxy.close());
  const taken = once(server, 'connection') as Promise<[Socket]>;
  const client = connect({ host: '127.0.0.1', port: Number(proxy.address.split(':')[1]) });
  const [peer] = await taken;

  // In pieces of one byte the first text takes many turns; the second comes meanwhile, and with it the cut.
  proxy.fragment(1);
  let seen = '';
  client.on('data', (chunk: Buffer) => (seen += chunk.toString()));
  const first = once(client, 'data');
  peer.write('0123456789'.repeat(50));
  await first;
  proxy.cutAfter('toClient', 3);
  peer.write('abcdef');
  await once(client, 'end');
  expect(seen).toBe(`${'0123456789'.repeat(50)}abc`);
  peer.destroy();
});
