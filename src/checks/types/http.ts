import type { CloseMode } from '../closing.ts';
import { closeField, closeSocket } from '../closing.ts';
import type { FieldBuilders } from '../definition.ts';
import { checkType } from '../definition.ts';
import type { Dial, HttpDefinition } from '../http-probe.ts';
import { defineHttp, httpFields, httpProber, httpProblems } from '../http-probe.ts';
import { connectTo } from '../prober.ts';

const HTTP_PORT = 80;

interface PlainHttpDefinition extends HttpDefinition {
  readonly close: CloseMode;
}

const fields = (builders: FieldBuilders) => ({ ...httpFields(builders), close: closeField(builders) });

export const httpCheck = checkType({
  type: 'http',
  summary:
    "Sends one HTTP/1.1 request to the real's own address and compares the status code. The answer must be complete, " +
    'or 64 KiB long, before the timeout.',
  fields,
  example: { type: 'http', path: '/healthz', host: 'www.example.org', status: ['200-299'] },
  problems: httpProblems,
  define: (record) => ({ ...defineHttp(record), close: record.close }),
  prober(definition) {
    const http = definition as PlainHttpDefinition;
    return httpProber(http, HTTP_PORT, dial, (socket) => closeSocket(socket, http.close));
  },
});

const dial: Dial = (endpoint, _context, attempt) => {
  const socket = connectTo(endpoint);
  socket.once('connect', () => attempt.enter('waiting for the answer'));
  return socket;
};
