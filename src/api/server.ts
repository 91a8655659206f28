import type { RequestListener, Server } from 'node:http';
import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { fastify } from 'fastify';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { CodedError, describeError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { err } from '../core/result.ts';
import { systemClock } from '../core/system-clock.ts';
import type { StatusView } from '../model/status.ts';
import { MAX_RECORD_BYTES } from '../model/json.ts';
import type { ListenAddress } from './listen.ts';
import type { MetricsRegistry } from './metrics.ts';
import { templateOf } from './openapi.ts';
import type { OperatorDesk } from './operator-desk.ts';
import type { Reply, Route, Verify } from './route.ts';
import { ROUTES } from './routes.ts';
import { endWithError } from './raw-reply.ts';
import { createSecureServer } from './secure-server.ts';
import type { ServedCertificate } from './served-certificate.ts';
import type { ApiErrorCode, ErrorReply } from './schemas.ts';
import { ErrorReply as ErrorReplySchema, JSON_CONTENT_TYPE, plainSchema } from './schemas.ts';
import { sendStatus } from './status-reply.ts';
import { judgeWriter } from './write-access.ts';
import type { WriteRoute } from './write-routes.ts';
import { WRITE_ROUTES } from './write-routes.ts';

export interface ApiDeps {
  /** The read model as of now; called once for each request. */
  readonly status: () => StatusView;
  /** Sees to it that the counters in the status are fresh; absent = they are as they are. Never fails. */
  readonly freshen?: () => Promise<void>;
  /** Absent = nothing can be verified. */
  readonly verify?: Verify;
  readonly log: Log;
  readonly metrics: MetricsRegistry;
  /** null = the API is off. */
  readonly listen: ListenAddress | null;
  /** Absent = it speaks plain HTTP. */
  readonly certificate?: ServedCertificate | null;
  readonly version: string;
  readonly clock?: Clock;
  /** Where writes go; null = the API only reads. */
  readonly desk?: OperatorDesk | null;
}

export interface Api {
  /**
   * @returns the URL it listens on, null when it is off
   * @throws CodedError API_LISTEN
   */
  start(): Promise<{ readonly address: string | null }>;
  /** Takes no new connections, finishes the answers under way, and cuts off what is still open after a moment. */
  stop(): Promise<void>;
}

/** A request to read has no body; what is larger is a mistake. */
const BODY_LIMIT_BYTES = 1_024;
const WRITE_LIMIT_BYTES = MAX_RECORD_BYTES;
const TIMEOUTS = {
  requestTimeout: 5_000,
  keepAliveTimeout: 10_000,
  /** Covers a client that reads a large answer slowly, or not at all. */
  connectionTimeout: 15_000,
};
const MAX_CONNECTIONS = 128;
const STOP_GRACE_MS = 1_000;

export function createApi(deps: ApiDeps): Api {
  const app = buildApp(deps);
  const { clock = systemClock, certificate = null } = deps;
  return {
    async start() {
      if (deps.listen === null) return { address: null };
      const { host, port } = deps.listen;
      try {
        const address = await app.listen({ host, port });
        if (certificate === null) return { address };
        certificate.start();
        // Fastify does not know what its server speaks.
        return { address: address.replace(/^http:/, 'https:') };
      } catch (cause) {
        throw new CodedError('API_LISTEN', `the API cannot listen on ${host} port ${port}`, { cause });
      }
    },
    async stop() {
      certificate?.stop();
      const cancel = clock.after(STOP_GRACE_MS, () => app.server.closeAllConnections());
      try {
        await app.close();
      } finally {
        cancel();
      }
    },
  };
}

/** The API without a socket: what tests inject requests into. */
export function buildApp(deps: ApiDeps): FastifyInstance {
  const { log, clock = systemClock, certificate = null } = deps;
  const app = fastify({
    ...TIMEOUTS,
    bodyLimit: BODY_LIMIT_BYTES,
    forceCloseConnections: 'idle',
    // Requests that arrive on an open connection while we stop are still answered; the connection closes after.
    return503OnClosing: false,
    frameworkErrors: (error, _request, reply) => {
      void sendError(reply, error.statusCode ?? 400, 'BAD_REQUEST', error.message);
    },
    clientErrorHandler: refuseGarbage,
    ...(certificate === null ? {} : { serverFactory: secureServerFactory(certificate, { clock, log }) }),
  });
  app.server.maxConnections = MAX_CONNECTIONS;
  app.addHook('onRequest', (_request, reply, done) => {
    void reply.header('cache-control', 'no-store').header('x-content-type-options', 'nosniff');
    done();
  });
  app.addHook('onResponse', (request, reply, done) => {
    const route = request.routeOptions.url ?? 'unknown';
    deps.metrics.countRequest(route, reply.statusCode);
    log.debug({ route, code: reply.statusCode, ms: Math.round(reply.elapsedTime) }, 'answered an API request');
    done();
  });
  app.setErrorHandler((error, _request, reply) => answerError(error, reply, log));
  app.setNotFoundHandler((request, reply) => answerNotFound(request, reply));
  // A record is stored as it came, byte for byte, so a body stays bytes; and no page can send JSON unasked (CORS).
  app.removeAllContentTypeParsers();
  app.addContentTypeParser('application/json', { parseAs: 'buffer' }, (_request, body, done) => done(null, body));
  for (const route of ROUTES) addRoute(app, route, deps);
  for (const route of WRITE_ROUTES) addWriteRoute(app, route, deps);
  return app;
}

function secureServerFactory(certificate: ServedCertificate, deps: { readonly clock: Clock; readonly log: Log }) {
  return (handler: RequestListener): Server => createSecureServer(handler, certificate, TIMEOUTS, deps);
}

function addWriteRoute(app: FastifyInstance, route: WriteRoute, { desk, status }: ApiDeps): void {
  app.route<{ Params: Record<string, string>; Body: Buffer | undefined }>({
    method: route.method,
    url: route.path,
    bodyLimit: WRITE_LIMIT_BYTES,
    schema: { response: responseSchemas(route) },
    // Before anything of the body is read.
    onRequest: (request, reply, done) => {
      const admission = admit(request, desk ?? null);
      if (admission.kind === 'admitted') done();
      else void send(reply, admission.reply);
    },
    handler: async (request, reply) => {
      const admission = admit(request, desk ?? null);
      if (admission.kind === 'refused') return send(reply, admission.reply);
      const { headers, params, body } = request;
      const answer = await route.answer({
        desk: admission.desk,
        user: admission.user,
        params,
        body: body ?? new Uint8Array(0),
        ifMatch: headers['if-match'],
        ifNoneMatch: headers['if-none-match'],
        held: status().holds.map(({ revision }) => revision),
      });
      return send(reply, answer);
    },
  });
}

function addRoute(
  app: FastifyInstance,
  route: Route,
  { status, metrics, version, verify = cannotVerify, freshen }: ApiDeps,
): void {
  app.route<{ Params: Record<string, string> }>({
    method: route.method ?? 'GET',
    url: route.path,
    schema: { response: responseSchemas(route) },
    handler: async (request, reply) => {
      if (route.showsCounters === true) {
        await freshen?.();
        // Those who read them have just entered them all.
        await nextTurn();
      }
      const answer = await route.answer({ status, metrics, version, verify, params: request.params });
      return send(reply, answer);
    },
  });
}

const cannotVerify: Verify = () =>
  Promise.resolve(err(new CodedError('NOTHING_IN_FORCE', 'there is no agent behind this API')));

const UNREADABLE = 'the credentials of store.operatorAuth cannot be read; the log says why';
const READ_ONLY =
  'this agent takes no writes: its bootstrap file has no store.operatorAuth; operators write to the store';

type Admission =
  | { readonly kind: 'admitted'; readonly desk: OperatorDesk; readonly user: string }
  | { readonly kind: 'refused'; readonly reply: Reply };

/** Whether a write is looked at. */
function admit({ headers, ip }: FastifyRequest, desk: OperatorDesk | null): Admission {
  const refuse = (code: number, error: ApiErrorCode, message: string): Admission => {
    return { kind: 'refused', reply: { kind: 'error', code, error, message } };
  };
  if (desk === null) return refuse(403, 'FORBIDDEN', READ_ONLY);
  const credentials = desk.credentials();
  if (!credentials.ok) return refuse(403, 'FORBIDDEN', UNREADABLE);
  const fetchSite = headers['sec-fetch-site'];
  const facts = {
    remoteAddress: ip,
    host: headers.host,
    origin: headers.origin,
    fetchSite: typeof fetchSite === 'string' ? fetchSite : undefined,
    authorization: headers.authorization,
  };
  const access = judgeWriter(facts, credentials.value, [hostname()]);
  switch (access.kind) {
    case 'granted':
      return { kind: 'admitted', desk, user: access.user };
    case 'forbidden':
      return refuse(403, 'FORBIDDEN', access.message);
    case 'unauthorized':
      return refuse(401, 'UNAUTHORIZED', access.message);
  }
}

/** For fastify's serializer: a field that no schema names is never sent. */
function responseSchemas({ replies }: Pick<Route, 'replies'>): Record<string, unknown> {
  const schemas: Record<string, unknown> = {};
  for (const [code, { schema, contentType }] of Object.entries(replies)) {
    if (contentType === undefined) schemas[code] = plainSchema(schema ?? ErrorReplySchema);
  }
  return schemas;
}

function send(reply: FastifyReply, answer: Reply): FastifyReply {
  switch (answer.kind) {
    case 'json':
      return reply.code(answer.code).send(answer.body);
    case 'status':
      return sendStatus(reply, answer.status);
    case 'text':
      return reply.type(answer.contentType).send(answer.text);
    case 'error':
      return sendError(reply, answer.code, answer.error, answer.message);
  }
}

function sendError(reply: FastifyReply, status: number, code: ApiErrorCode, message: string): FastifyReply {
  const body: ErrorReply = { error: { code, message } };
  if (status === 401) void reply.header('www-authenticate', 'Basic realm="vipkeeper operators", charset="UTF-8"');
  return reply.code(status).type(JSON_CONTENT_TYPE).send(body);
}

function answerError(error: unknown, reply: FastifyReply, log: Log): FastifyReply {
  const status = statusCodeOf(error);
  if (status === 415) {
    return sendError(reply, 415, 'UNSUPPORTED_MEDIA_TYPE', 'a body is application/json');
  }
  if (status === 413) return sendError(reply, 413, 'REQUEST_TOO_LARGE', 'the request is too large');
  if (status >= 400 && status < 500) return sendError(reply, status, 'BAD_REQUEST', describeError(error));
  log.error({ err: error }, 'an API request failed');
  return sendError(reply, 500, 'INTERNAL', 'the request failed by a defect in vipkeeper; see the log of the agent');
}

function statusCodeOf(error: unknown): number {
  const code = typeof error === 'object' && error !== null && 'statusCode' in error ? error.statusCode : undefined;
  return typeof code === 'number' ? code : 500;
}

function answerNotFound(request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const path = request.url.replace(/\?.*$/, '');
  const posts = ROUTES.some((route) => route.method === 'POST' && route.path === path);
  if (posts || (request.method !== 'GET' && request.method !== 'HEAD')) {
    const allowed = posts ? 'POST' : 'GET, HEAD';
    void reply.header('allow', allowed);
    return sendError(reply, 405, 'METHOD_NOT_ALLOWED', `this takes ${allowed} only`);
  }
  const known = ROUTES.map(({ path }) => templateOf(path)).join(', ');
  return sendError(reply, 404, 'NOT_FOUND', `there is no such route; the routes are ${known}`);
}

/** Bytes that are no HTTP request, or a request that does not end: there is no request to reply to. */
function refuseGarbage(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || !socket.writable) {
    socket.destroy();
    return;
  }
  const late = error.code === 'ERR_HTTP_REQUEST_TIMEOUT';
  if (late) endWithError(socket, '408 Request Timeout', 'the request did not end in time');
  else endWithError(socket, '400 Bad Request', 'this is not an HTTP request');
}
