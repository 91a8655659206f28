import type { Socket } from 'node:net';
import type { FieldBuilders } from './definition.ts';

const CLOSE_MODES = ['rst', 'fin'] as const;

/** How a probe leaves its TCP connection. */
export type CloseMode = (typeof CLOSE_MODES)[number];

export const closeField = ({ choice }: FieldBuilders) =>
  choice(CLOSE_MODES, {
    default: 'rst',
    description:
      'How the connection is closed: "rst" leaves nothing behind on the director, but some applications log it; ' +
      '"fin" closes in order, and the kernel remembers the connection for a minute (TIME_WAIT).',
  });

export function closeSocket(socket: Socket, mode: CloseMode): void {
  if (socket.destroyed) return;
  // A reset of a socket that is still connecting would wait for the connection.
  if (socket.connecting) socket.destroy();
  else if (mode === 'rst') socket.resetAndDestroy();
  else socket.destroySoon();
}
