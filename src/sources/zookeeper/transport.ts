import { connect as connectTcp, isIP } from 'node:net';
import type { Socket } from 'node:net';
import { connect as connectTls } from 'node:tls';
import { describeError } from '../../core/errors.ts';
import type { StoreTls } from '../credentials.ts';
import type { Destination } from '../server-names.ts';
import { formatServer } from './servers.ts';

export interface TransportHandlers {
  /** The stream is ready to carry bytes, TLS included. */
  onOpen(): void;
  onData(chunk: Uint8Array): void;
  /** Called once, whoever ended it; nothing is called afterwards. */
  onClose(reason: string): void;
}

export interface Transport {
  write(bytes: Uint8Array): void;
  /** Drops the stream at once. No handler is called any more. */
  destroy(): void;
}

/** Opens a stream to a server. Never throws: failures come through `onClose`. */
export type Dial = (server: Destination, handlers: TransportHandlers) => Transport;

export function dialTcp(server: Destination, handlers: TransportHandlers): Transport {
  const socket = connectTcp({ host: server.address, port: server.port, noDelay: true });
  return wrap(socket, 'connect', server, handlers);
}

/** The server's certificate must be valid and carry the name that was dialled, or `serverName`. */
export function dialTlsWith(options: StoreTls): Dial {
  return (server, handlers) => {
    const material = options.load();
    if (!material.ok) return stillborn(material.error, handlers);
    const { ca, certificate, key } = material.value;
    const name = options.serverName ?? server.host;
    try {
      const socket = connectTls({
        host: server.address,
        port: server.port,
        minVersion: 'TLSv1.2',
        // RFC 6066 section 3 allows no addresses in the server name indication; the identity check takes them.
        ...(isIP(name) === 0 ? { servername: name } : {}),
        ...(ca === undefined ? {} : { ca }),
        ...(certificate === undefined ? {} : { cert: certificate }),
        ...(key === undefined ? {} : { key }),
      });
      socket.setNoDelay(true);
      return wrap(socket, 'secureConnect', server, handlers);
    } catch (error) {
      return stillborn(error, handlers);
    }
  };
}

function wrap(
  socket: Socket,
  ready: 'connect' | 'secureConnect',
  server: Destination,
  handlers: TransportHandlers,
): Transport {
  let over = false;
  let reason = `${formatServer(server)} closed the connection`;
  socket.once(ready, () => {
    if (!over) handlers.onOpen();
  });
  socket.on('data', (chunk: Buffer) => {
    if (!over) handlers.onData(chunk);
  });
  socket.on('error', (error) => {
    reason = `${formatServer(server)}: ${describeError(error)}`;
  });
  socket.once('close', () => {
    if (over) return;
    over = true;
    handlers.onClose(reason);
  });
  return {
    write: (bytes) => void socket.write(bytes),
    destroy: () => {
      over = true;
      socket.destroy();
    },
  };
}

/** A transport that failed before there was a socket: says so in a later turn, as a socket would. */
function stillborn(error: unknown, handlers: TransportHandlers): Transport {
  let over = false;
  queueMicrotask(() => {
    if (!over) handlers.onClose(describeError(error));
  });
  return {
    write: () => undefined,
    destroy: () => {
      over = true;
    },
  };
}
