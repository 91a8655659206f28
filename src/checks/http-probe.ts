import { request } from 'node:http';
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { FieldProblem } from '../model/validate.ts';
import { quoteFound } from '../model/problem.ts';
import type { FieldBuilders, RecordOf } from './definition.ts';
import type { CheckDefinition } from './port.ts';
import type { Endpoint, ProbeContext, Prober } from './prober.ts';
import { Attempt, hostText } from './prober.ts';

/* What the http and https checks share: their fields, and everything above the connection. */

const STATUS_PATTERN = '^[1-9][0-9]{2}(-[1-9][0-9]{2})?$';
/** RFC 9110 section 5.6.2, token. */
const HEADER_NAME_PATTERN = "^[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}$";
const MAX_HEADERS = 32;
/** Headers that frame the request or that another field sets. */
const OWN_HEADERS = ['host', 'connection', 'content-length', 'transfer-encoding', 'upgrade', 'expect', 'te', 'trailer'];

/** Enough for any health page; what comes behind it is not waited for. */
const MAX_BODY_BYTES = 64 * 1024;
const MAX_HEADER_BYTES = 16 * 1024;

export const httpFields = ({ Type, choice }: FieldBuilders) => ({
  path: Type.String({
    pattern: '^/[\\x21-\\x7e]*$',
    maxLength: 2_000,
    default: '/',
    description: 'Path and query of the request.',
    allowed: 'a path that starts with "/", of printable ASCII characters without spaces',
  }),
  method: choice(['GET', 'HEAD'], { default: 'GET', description: 'Method of the request.' }),
  host: Type.Optional(
    Type.String({
      pattern: '^[A-Za-z0-9._:\\[\\]-]{1,253}$',
      description: 'The Host header. Default: the address of the real, with the port unless it is the usual one.',
      allowed: 'a host name or an address, with a port if one is wanted',
    }),
  ),
  headers: Type.Record(
    Type.String({ pattern: HEADER_NAME_PATTERN }),
    Type.String({
      maxLength: 1_000,
      pattern: '^[\\x20-\\x7e\\t]*$',
      allowed: 'printable ASCII text of at most 1000 characters',
    }),
    {
      maxProperties: MAX_HEADERS,
      default: {},
      description: 'Further headers of the request.',
      allowed: `an object of at most ${MAX_HEADERS} header names with their values`,
    },
  ),
  status: Type.Array(
    Type.Refine(
      Type.String({
        pattern: STATUS_PATTERN,
        description: 'A status code or a range of them.',
        allowed: 'a string with a status code or a range, such as "204" or "200-299"',
      }),
      isOrderedRange,
      () => 'must be a range in order',
    ),
    {
      minItems: 1,
      maxItems: 32,
      default: ['200-299'],
      description: 'Status codes that count as success. Redirects are not followed: list "301" to accept one.',
      allowed: 'a list of status codes and ranges, such as ["200-299", "401"]',
    },
  ),
});
type HttpRecord = RecordOf<typeof httpFields>;

/** The part of a definition that is the same for http and https. */
export interface HttpDefinition extends CheckDefinition {
  readonly path: string;
  readonly method: 'GET' | 'HEAD';
  readonly host: string | null;
  readonly headers: Readonly<Record<string, string>>;
  readonly status: readonly string[];
}

export function defineHttp(record: HttpRecord): Readonly<Record<string, unknown>> {
  const { path, method, headers, status } = record;
  return { path, method, host: record.host ?? null, headers, status };
}

export function httpProblems(record: HttpRecord): readonly FieldProblem[] {
  return Object.keys(record.headers).flatMap((name): FieldProblem[] => {
    if (!new RegExp(HEADER_NAME_PATTERN).test(name)) {
      return [{ field: `headers.${name}`, found: quoteFound(name), allowed: 'a header name (RFC 9110 token)' }];
    }
    if (!OWN_HEADERS.includes(name.toLowerCase())) return [];
    const allowed = name.toLowerCase() === 'host' ? 'the field "host" instead' : 'no header that frames the request';
    return [{ field: `headers.${name}`, found: quoteFound(name), allowed }];
  });
}

function isOrderedRange(text: string): boolean {
  const [first = '', last = first] = text.split('-');
  return Number(first) <= Number(last);
}

/**
 * Opens the connection that one probe talks over, and tells the attempt of its phases. Errors of the socket itself
 * reach the attempt through the request. Undefined = the attempt has ended already.
 */
export type Dial = (endpoint: Endpoint, context: ProbeContext, attempt: Attempt) => Socket | undefined;

/**
 * @param usualPort the scheme's port, which the Host header leaves out
 * @param close what becomes of the connection after a whole answer
 */
export function httpProber(
  definition: HttpDefinition,
  usualPort: number,
  dial: Dial,
  close: (socket: Socket) => void,
): Prober {
  const { timeoutMs, path, method, status } = definition;
  const ranges = status.map((text) => {
    const [first = '', last = first] = text.split('-');
    return { first: Number(first), last: Number(last) };
  });
  const wanted = status.join(', ');
  const headers = { 'User-Agent': 'vipkeeper', Accept: '*/*', Connection: 'close', ...definition.headers };
  return (endpoint, context) =>
    new Promise((resolve) => {
      const attempt = new Attempt(context.clock, endpoint, timeoutMs, resolve);
      const socket = dial(endpoint, context, attempt);
      if (socket === undefined) return;
      const message = request({
        createConnection: () => socket,
        method,
        path,
        headers: { Host: definition.host ?? hostHeader(endpoint, usualPort), ...headers },
        maxHeaderSize: MAX_HEADER_BYTES,
      });
      let answer: IncomingMessage | undefined;
      attempt.holds(() => {
        if (answer?.complete === true) close(socket);
        message.destroy();
      });
      message.on('error', (error) => attempt.fail(error));
      const accepts = ({ statusCode = 0 }: IncomingMessage): boolean => {
        if (ranges.some(({ first, last }) => first <= statusCode && statusCode <= last)) return true;
        attempt.reject(`status ${statusCode}, wanted ${wanted}`);
        return false;
      };
      message.on('response', (response) => {
        answer = response;
        response.on('error', (error) => attempt.fail(error));
        if (accepts(response)) drain(response, attempt);
      });
      // 101 has no body, and hands the connection over.
      message.on('upgrade', (response, upgraded) => {
        if (accepts(response)) attempt.succeed(String(response.statusCode));
        upgraded.destroy();
      });
      message.end();
    });
}

/** Reads the body and throws it away: an answer that breaks off is not an answer. */
function drain(response: IncomingMessage, attempt: Attempt): void {
  const cause = String(response.statusCode);
  attempt.enter('while reading the body');
  let received = 0;
  response.on('data', (chunk: Buffer) => {
    received += chunk.length;
    if (received > MAX_BODY_BYTES) attempt.succeed(cause);
  });
  // Ahead of the listener by which Node closes the connection in its own way.
  response.prependListener('end', () => attempt.succeed(cause));
}

function hostHeader({ address, port }: Endpoint, usualPort: number): string {
  const host = hostText(address);
  return port === usualPort ? host : `${host}:${port}`;
}
