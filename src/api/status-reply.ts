import { Readable } from 'node:stream';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { FastifyReply } from 'fastify';
import { Type } from 'typebox';
import { ServiceView, StatusView } from '../model/status.ts';
import { JSON_CONTENT_TYPE, plainSchema } from './schemas.ts';

/** Characters that are made in one turn of the event loop: ten thousand reals are megabytes. */
const PIECE_LENGTH = 128 * 1_024;

const HEAD = plainSchema(Type.Omit(StatusView, ['services']));
const SERVICE = plainSchema(ServiceView);

/** Sends the read model, its services one by one at the end; whatever else this thread does gets its turn in between. */
export function sendStatus(reply: FastifyReply, status: StatusView): FastifyReply {
  // As for every other answer: a field that no schema names is never sent.
  const head = reply.compileSerializationSchema(HEAD)(status);
  const pieces = statusPieces(head, status.services, reply.compileSerializationSchema(SERVICE));
  return reply.type(JSON_CONTENT_TYPE).send(Readable.from(pieces, { objectMode: false }));
}

/** @param head the text of an object, which has other fields */
async function* statusPieces(
  head: string,
  services: StatusView['services'],
  textOf: (service: ServiceView) => string,
): AsyncGenerator<string, void, undefined> {
  let piece = `${head.slice(0, -1)},"services":[`;
  // All that was put together until here was one turn.
  await nextTurn();
  for (const [index, service] of services.entries()) {
    piece += `${index === 0 ? '' : ','}${textOf(service)}`;
    if (piece.length < PIECE_LENGTH) continue;
    yield piece;
    piece = '';
    await nextTurn();
  }
  yield `${piece}]}`;
}
