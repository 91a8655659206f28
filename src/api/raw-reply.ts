import type { Socket } from 'node:net';
import type { ErrorReply } from './schemas.ts';

/** Ends a connection with an error of the usual shape, where there is no request to reply to. */
export function endWithError(socket: Socket, status: '400 Bad Request' | '408 Request Timeout', message: string): void {
  const body: ErrorReply = { error: { code: 'BAD_REQUEST', message } };
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${status}\r\ncontent-type: application/json; charset=utf-8\r\n` +
      `content-length: ${Buffer.byteLength(text)}\r\nconnection: close\r\n\r\n${text}`,
  );
}
