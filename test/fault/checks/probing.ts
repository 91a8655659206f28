import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo, Server, Socket } from 'node:net';
import { createServer as createTlsServer } from 'node:tls';
import type { TlsOptions } from 'node:tls';
import { onTestFinished } from 'vitest';
import { checkTypes } from '../../../src/checks/catalog.ts';
import { checkCatalog } from '../../../src/checks/decode.ts';
import type { ProbeOutcome } from '../../../src/checks/outcome.ts';
import type { CheckDefinition } from '../../../src/checks/port.ts';
import { TrustStore } from '../../../src/checks/trust.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import type { IpAddress } from '../../../src/model/address.ts';

export const TLS_VECTORS = new URL('../../vectors/tls/', import.meta.url).pathname;

/** A record as an operator writes it, quick enough for tests unless it says otherwise. */
export function define(record: Record<string, unknown>): CheckDefinition {
  const decoded = checkCatalog.decode({ timeout: '30s', interval: '30s', ...record });
  if (!decoded.ok) throw new Error(JSON.stringify(decoded.error));
  return decoded.value;
}

/** Carries out one probe against a port on loopback. */
export async function probe(
  record: Record<string, unknown>,
  port: number,
  address = '127.0.0.1',
): Promise<ProbeOutcome> {
  const definition = define(record);
  const type = checkTypes.get(definition.type);
  if (type === undefined) throw new Error(`no type ${definition.type}`);
  const trust = new TrustStore(systemClock, () => undefined);
  return type.prober(definition)(
    { address: address as IpAddress, port },
    {
      clock: systemClock,
      trust,
      znodes: () => Promise.reject(new Error('there is no ZooKeeper')),
    },
  );
}

/** A real: whatever it does with a connection, on a port of its own, until the test ends. */
export function real(serve: (socket: Socket) => void, address = '127.0.0.1'): Promise<number> {
  return listening(createServer({ allowHalfOpen: true }), 'connection', serve, address);
}

/** The same over TLS, with the test certificate for real.example.test and 127.0.0.1. */
export function tlsReal(serve: (socket: Socket) => void, options: TlsOptions = {}): Promise<number> {
  const key = readFileSync(`${TLS_VECTORS}server.key`);
  const cert = readFileSync(`${TLS_VECTORS}server.pem`);
  return listening(createTlsServer({ key, cert, ...options }), 'secureConnection', serve, '127.0.0.1');
}

function listening(server: Server, event: string, serve: (socket: Socket) => void, address: string): Promise<number> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.on('close', () => void sockets.delete(socket));
  });
  server.on('tlsClientError', () => undefined);
  server.on(event, (socket: Socket) => {
    socket.on('error', () => undefined);
    serve(socket);
  });
  onTestFinished(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  return new Promise((resolve) => {
    server.listen(0, address, () => resolve((server.address() as AddressInfo).port));
  });
}

/** Answers the first request on a connection with these bytes, as they stand, and ends. */
export function answers(text: string): (socket: Socket) => void {
  return (socket) => {
    socket.once('data', () => socket.end(text));
  };
}

/** Collects the whole request head, then answers. */
export function records(requests: string[], text: string): (socket: Socket) => void {
  return (socket) => {
    let head = '';
    socket.on('data', (chunk) => {
      head += chunk.toString('latin1');
      if (!head.includes('\r\n\r\n')) return;
      requests.push(head);
      socket.end(text);
    });
  };
}

/** A port on which nothing listens (any more). */
export async function closedPort(address = '127.0.0.1'): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, address, resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

export const OK = 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok';
