import { createHash } from 'node:crypto';
import { Socket } from 'node:net';
import { queryObjects } from 'node:v8';
import { expect, it } from 'vitest';
import { eventually } from '../lab/eventually.ts';
import { rawClient } from '../fakes/raw-client.ts';
import { secureApi } from '../fakes/secure-api.ts';
import { askOverTls } from '../fakes/tls-client.ts';

/** As many connections as the API has at a time. */
const MAX_CONNECTIONS = 128;
/** The head of a record that holds a handshake, much more of which is to come (RFC 8446 section 5.1). */
const BEGUN = Uint8Array.of(22, 3, 1, 2, 0, 1);
/** The same garbage in every run. */
const garbage = (index: number): Uint8Array =>
  Buffer.concat([BEGUN, createHash('shake256', { outputLength: 1_024 }).update(`${index}`).digest()]);
/** Of both sides, after a collection of garbage. */
const countSockets = (): number => queryObjects(Socket, { format: 'count' });
const ALIVE = /^HTTP\/1\.1 200 OK\r\n/;

it('clients that never end their handshake keep others out only until their time is up', async () => {
  const { port } = await secureApi();
  const half = MAX_CONNECTIONS / 2;
  const silent = await Promise.all(Array.from({ length: half }, () => rawClient(port, '')));
  const begun = await Promise.all(Array.from({ length: half }, () => rawClient(port, BEGUN)));
  // A byte now and then does not lengthen it.
  const dripping = setInterval(() => {
    for (const { socket } of begun) if (socket.writable) socket.write(Uint8Array.of(0));
  }, 500);
  try {
    await expect(askOverTls(port)).rejects.toThrow(/ECONNRESET|disconnected before secure TLS/);
    await Promise.all([...silent, ...begun].map(({ closed }) => closed));
    expect((await askOverTls(port)).text).toMatch(ALIVE);
  } finally {
    clearInterval(dripping);
  }
});

it('garbage for a handshake costs nothing that stays', async () => {
  const { port, log } = await secureApi();
  let first: number | null = null;
  for (let sent = 0; sent < 3 * MAX_CONNECTIONS; sent += 32) {
    const clients = Array.from({ length: 32 }, (_, index) => rawClient(port, garbage(sent + index)));
    await Promise.all((await Promise.all(clients)).map(({ closed }) => closed));
    first ??= countSockets();
  }
  await eventually('all were noted', () => log.about('a TLS handshake failed').length === 3 * MAX_CONNECTIONS);
  await eventually('their sockets are gone', () => countSockets() <= (first ?? 0));
  expect((await askOverTls(port)).text).toMatch(ALIVE);
});
