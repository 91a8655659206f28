import { connect } from 'node:net';
import type { Socket } from 'node:net';

/** A connection to a port of this machine that has said this much; `closed` has all it was told, once it is over. */
export async function rawClient(
  port: number,
  bytes: Uint8Array | string,
): Promise<{ readonly socket: Socket; readonly closed: Promise<string> }> {
  const socket = connect({ host: '127.0.0.1', port });
  let told = '';
  socket.on('data', (chunk) => (told += chunk.toString('latin1'))).on('error', () => undefined);
  const closed = new Promise<string>((resolve) => void socket.on('close', () => resolve(told)));
  await new Promise<void>((resolve) => socket.on('connect', () => socket.write(bytes, () => resolve())));
  return { socket, closed };
}
