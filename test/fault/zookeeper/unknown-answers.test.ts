import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import { event, framed, int, long, reply, welcome } from '../../fakes/zookeeper-bytes.ts';
import { eventually } from '../../lab/eventually.ts';
import { Cleanups } from '../../lab/zookeeper-kit.ts';

// A server of a later version, or one that is no ZooKeeper at all, played over a real socket.
const cleanups = new Cleanups();
let server: Server;
let address: string;
let sockets: Socket[];
/** What the server does with each request after the greeting. */
let answer: (socket: Socket, xid: number, op: number) => void;

const ADD_WATCH = 106;
const EXISTS = 3;
const MULTI_READ = 22;
const ended = Buffer.concat([int(-1), Buffer.of(1), int(-1)]);

function wellBehaved(socket: Socket, xid: number, op: number): void {
  if (op === ADD_WATCH) socket.write(reply(xid, {}, int(0)));
  else if (op === EXISTS) socket.write(reply(xid, { error: -101 }));
  else if (op === MULTI_READ) socket.write(reply(xid, {}, int(-1), Buffer.of(0), int(-101), int(-101), ended));
  else socket.write(reply(xid));
}

beforeEach(async () => {
  answer = wellBehaved;
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => undefined);
    let isGreeted = false;
    let rest = Buffer.alloc(0);
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      while (rest.length >= 4 && rest.length >= 4 + rest.readInt32BE(0)) {
        const packet = rest.subarray(4, 4 + rest.readInt32BE(0));
        rest = rest.subarray(4 + packet.length);
        if (isGreeted) answer(socket, packet.readInt32BE(0), packet.readInt32BE(4));
        else socket.write(welcome({ timeoutMs: 2_000 }));
        isGreeted = true;
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  address = `127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await cleanups.run();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});
afterAll(() => cleanups.run());

test.each([-9_999, -118, -125, -127, 42])('error code %i is an answer, and the connection lives on', async (error) => {
  const watched = cleanups.source([address]);
  await watched.snapshot();
  answer = (socket, xid) => socket.write(reply(xid, { error }));
  const outcome = await watched.source.owner('state/agents/lb1');
  expect(outcome).toMatchObject({ ok: false, error: { serverCode: error } });
  answer = wellBehaved;
  expect((await watched.source.snapshot()).ok).toBe(true);
  expect(sockets).toHaveLength(1);
});

test('an event of an unknown type makes us look again', async () => {
  const watched = cleanups.source([address]);
  await watched.snapshot();
  await watched.untilPoked(() => Promise.resolve(sockets[0]?.write(event(99, '/elsewhere'))));
  expect((await watched.source.snapshot()).ok).toBe(true);
  expect(sockets).toHaveLength(1);
});

const HTTP = Buffer.from('HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n');

test.each([
  ['a reply to nobody', reply(777)],
  ['an HTTP server', HTTP],
  ['a negative length', int(-5)],
  ['a header that ends too soon', framed(int(1), long(0n))],
  ['an event that ends too soon', framed(int(-1), long(-1n), int(0), int(1))],
])('%s ends the connection, every call is answered, and the next one works', async (_what, bytes) => {
  const watched = cleanups.source([address]);
  await watched.snapshot();
  answer = (socket) => socket.write(bytes);
  const outcomes = await Promise.all([1, 2].map((n) => watched.source.owner(`state/agents/lb${n}`)));
  answer = wellBehaved;
  expect(outcomes.map((each) => (each.ok ? 'ok' : each.error.code))).toEqual([
    'STORE_DISCONNECTED',
    'STORE_DISCONNECTED',
  ]);
  await eventually('a reading over a new connection', async () => (await watched.source.snapshot()).ok);
  expect(sockets.length).toBeGreaterThan(1);
});

test('a server that hangs up on every request is not stormed', async () => {
  answer = (socket) => socket.destroy();
  cleanups.source([address]);
  await eventually('some attempts', () => sockets.length >= 4);
  const since = performance.now();
  const before = sockets.length;
  await eventually('more attempts', () => sockets.length >= before + 4);
  expect(performance.now() - since).toBeGreaterThan(400);
});
