import type { RequestListener } from 'node:http';
import { createServer } from 'node:https';
import type { Server } from 'node:https';
import type { Socket } from 'node:net';
import type { SecureContextOptions, TLSSocket } from 'node:tls';
import { describeError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { endWithError } from './raw-reply.ts';
import type { ApiTlsMaterial, ServedCertificate } from './served-certificate.ts';

/** So long may the first byte take, and then the handshake. */
const HANDSHAKE_MS = 5_000;

/** Content type of the record that a client begins with (RFC 8446 section 5.1). */
const HANDSHAKE_RECORD = 22;

interface Timeouts {
  readonly requestTimeout: number;
  readonly keepAliveTimeout: number;
  /** Of a connection on which nothing moves. */
  readonly connectionTimeout: number;
}

/** An HTTPS server that has, at each new connection, the certificate of that moment. Times are milliseconds. */
export function createSecureServer(
  handler: RequestListener,
  certificate: ServedCertificate,
  { connectionTimeout, ...timeouts }: Timeouts,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Server {
  // Whether clients are asked is for the bootstrap file to say, and that is read once.
  const mutual = certificate.material.clientCa !== null;
  const verification = { requestCert: mutual, rejectUnauthorized: mutual };
  const options = { ...contextOf(certificate.material), ...verification, ...timeouts, handshakeTimeout: HANDSHAKE_MS };
  const server = createServer(options, handler);
  server.setTimeout(connectionTimeout);
  certificate.onChange(() => server.setSecureContext(contextOf(certificate.material)));
  // Else it would become an error of HTTP, to which there can be no answer.
  server.removeAllListeners('tlsClientError');
  server.on('tlsClientError', (error: Error, socket: TLSSocket) => {
    log.debug({ error: describeError(error), reason: socket.authorizationError }, 'a TLS handshake failed');
    socket.destroy();
  });
  const handshake = server.listeners('connection');
  server.removeAllListeners('connection');
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
    onTlsClient(socket, clock, () => {
      certificate.refresh();
      for (const begin of handshake) Reflect.apply(begin, server, [socket]);
    });
  });
  // The server of HTTP knows nothing of connections whose handshake is not over.
  server.closeAllConnections = () => {
    for (const socket of sockets) socket.destroy();
  };
  return server;
}

/** Looks at the first byte: hands on who begins a handshake, and tells anybody else what is spoken here. */
function onTlsClient(socket: Socket, clock: Clock, begin: () => void): void {
  const cancel = clock.after(HANDSHAKE_MS, () => socket.destroy());
  socket.on('error', () => undefined);
  socket.once('close', cancel);
  socket.once('data', (chunk: Buffer) => {
    if (chunk[0] === HANDSHAKE_RECORD) {
      cancel();
      socket.pause();
      socket.unshift(chunk);
      begin();
      return;
    }
    endWithError(socket, '400 Bad Request', 'this port speaks HTTPS only');
    // What else comes is thrown away until the client, or else the deadline, ends it.
    socket.resume();
  });
}

/** TLS 1.2 is the oldest version that RFC 8996 leaves. */
function contextOf({ certificate, key, clientCa }: ApiTlsMaterial): SecureContextOptions {
  return { cert: certificate, key, minVersion: 'TLSv1.2', ...(clientCa === null ? {} : { ca: clientCa }) };
}
