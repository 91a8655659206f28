import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { freePort } from '../../lab/free-port.ts';
import { harness } from './cli-harness.ts';

async function agentThatSays(code: number, body: string): Promise<string> {
  const server = createServer((request, reply) => {
    reply.writeHead(request.url === '/healthz' ? code : 404).end(body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

it('says that an agent answers', async () => {
  const api = await agentThatSays(200, '{"alive":true}');
  expect(await harness().run('health', '--api', api)).toEqual({ exitCode: 0, out: 'alive\n', err: '' });
});

it('fails where something else answers, or nothing', async () => {
  const other = await harness().run('health', '--api', await agentThatSays(200, '<html>'));
  expect(other).toMatchObject({ exitCode: 1, out: '' });
  expect(await harness().run('health', '--api', await agentThatSays(500, ''))).toMatchObject({ exitCode: 1, out: '' });
  const nothing = await harness().run('health', '--api', `http://127.0.0.1:${await freePort()}`);
  expect(nothing).toMatchObject({ exitCode: 1, err: expect.stringContaining('no agent answers at') as string });
});
