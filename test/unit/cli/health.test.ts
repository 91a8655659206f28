import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { expect, it, onTestFinished } from 'vitest';
import { exchange } from '../../../src/cli/agent-connection.ts';
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

it('fails where the answer does not end in time', async () => {
  const server = createServer((_request, reply) => void reply.writeHead(200, { 'content-length': 100 }).write('{'));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => server.closeAllConnections());
  onTestFinished(() => void server.close());
  const url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  const answer = exchange({ kind: 'plain', url }, '/healthz', { method: 'GET', timeoutMs: 500 });
  await expect(answer).rejects.toThrow(`no agent answers at ${url.origin}: no whole answer came within 0.5 seconds`);
});
