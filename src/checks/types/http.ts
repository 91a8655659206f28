import { connect } from 'node:net';
import { checkType } from '../definition.ts';
import type { Dial, HttpDefinition } from '../http-probe.ts';
import { defineHttp, httpFields, httpProber, httpProblems } from '../http-probe.ts';

const HTTP_PORT = 80;

export const httpCheck = checkType({
  type: 'http',
  summary:
    "Sends one HTTP/1.1 request to the real's own address and compares the status code. The answer must be complete, " +
    'or 64 KiB long, before the timeout.',
  fields: httpFields,
  example: { type: 'http', path: '/healthz', host: 'www.example.org', status: ['200-299'] },
  problems: httpProblems,
  define: defineHttp,
  prober: (definition) => httpProber(definition as HttpDefinition, HTTP_PORT, dial),
});

const dial: Dial = (endpoint, _context, attempt) => {
  const socket = connect({ host: endpoint.address, port: endpoint.port });
  socket.once('connect', () => attempt.enter('waiting for the answer'));
  return socket;
};
