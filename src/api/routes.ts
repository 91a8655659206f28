import type { Static, TSchema } from 'typebox';
import type { ServiceView } from '../model/status.ts';
import { StatusView, ServiceView as ServiceViewSchema } from '../model/status.ts';
import { METRICS_CONTENT_TYPE } from './metrics.ts';
import { openApiDocument } from './openapi.ts';
import type { Route, RouteContext } from './route.ts';
import { VERIFY_ROUTE } from './verify-route.ts';
import type { ApiErrorCode } from './schemas.ts';
import { WRITE_ROUTES } from './write-routes.ts';
import { Alive, OpenApiDocument, PeerList, ProblemList, Readiness, ServiceList } from './schemas.ts';

/** A route that answers with one kind of JSON; the body must be what the schema says. */
function jsonRoute<S extends TSchema>(spec: {
  readonly path: string;
  readonly summary: string;
  readonly showsCounters?: boolean;
  readonly schema: S;
  readonly replies: Readonly<Record<string, string>>;
  readonly answer: (context: RouteContext) => { readonly code?: number; readonly body: Static<S> } | ErrorAnswer;
}): Route {
  const described = Object.entries(spec.replies).map(([code, description]) => {
    return [code, code === '404' ? { description } : { description, schema: spec.schema }] as const;
  });
  return {
    path: spec.path,
    summary: spec.summary,
    showsCounters: spec.showsCounters === true,
    replies: Object.fromEntries(described),
    answer(context) {
      const answer = spec.answer(context);
      if ('error' in answer) return { kind: 'error', ...answer };
      return { kind: 'json', code: answer.code ?? 200, body: answer.body };
    },
  };
}

interface ErrorAnswer {
  readonly code: number;
  readonly error: ApiErrorCode;
  readonly message: string;
}

function summaryOf({ name, vip, state, quorum, quorumCause, reals }: ServiceView) {
  const counts = { up: 0, down: 0, unknown: 0 };
  for (const { verdict } of reals) counts[verdict]++;
  return { name, vip, state, quorum, quorumCause, reals: counts };
}

export const ROUTES: readonly Route[] = [
  jsonRoute({
    path: '/healthz',
    summary: 'Whether the process is alive: for a supervisor that restarts it.',
    schema: Alive,
    replies: { 200: 'The event loop answers.' },
    answer: () => ({ body: { alive: true } }),
  }),
  jsonRoute({
    path: '/readyz',
    summary: 'Whether the agent does all of its work: for rollouts and alerts.',
    schema: Readiness,
    replies: { 200: 'It does.', 503: 'It does not; `reasons` says why. What was in force stays in force.' },
    answer({ status }) {
      const { ready, notReady } = status();
      return { code: ready ? 200 : 503, body: { ready, reasons: notReady } };
    },
  }),
  {
    path: '/metrics',
    summary: 'Metrics for Prometheus.',
    showsCounters: true,
    replies: { 200: { description: 'The text format of Prometheus.', contentType: METRICS_CONTENT_TYPE } },
    async answer({ status, metrics }) {
      return { kind: 'text', contentType: METRICS_CONTENT_TYPE, text: await metrics.render(status) };
    },
  },
  {
    path: '/v1/status',
    summary: 'Everything the agent knows about itself: the whole read model.',
    showsCounters: true,
    replies: { 200: { description: 'The read model.', schema: StatusView } },
    answer: ({ status }) => ({ kind: 'status', status: status() }),
  },
  jsonRoute({
    path: '/v1/services',
    summary: 'One line for each service.',
    schema: ServiceList,
    replies: { 200: 'All services, without their reals.' },
    answer: ({ status }) => ({ body: { services: status().services.map(summaryOf) } }),
  }),
  jsonRoute({
    path: '/v1/services/:name',
    summary: 'One service with its reals.',
    schema: ServiceViewSchema,
    showsCounters: true,
    replies: { 200: 'The service.', 404: 'There is no service of that name.' },
    answer({ status, params }) {
      const name = params['name'] ?? '';
      const service = status().services.find((candidate) => candidate.name === name);
      if (service !== undefined) return { body: service };
      const message = `there is no service ${JSON.stringify(name)}; /v1/services lists those there are`;
      return { code: 404, error: 'NOT_FOUND', message };
    },
  }),
  jsonRoute({
    path: '/v1/problems',
    summary: 'What is wrong with records, and which changes the guard holds.',
    schema: ProblemList,
    replies: { 200: 'Problems and holds; both empty when all is well.' },
    answer({ status }) {
      const { problems, holds } = status();
      return { body: { problems, holds } };
    },
  }),
  jsonRoute({
    path: '/v1/peers',
    summary: 'The BGP peers.',
    schema: PeerList,
    replies: { 200: 'All peers.' },
    answer: ({ status }) => ({ body: { peers: status().peers } }),
  }),
  VERIFY_ROUTE,
  jsonRoute({
    path: '/v1/openapi.json',
    summary: 'This API as an OpenAPI 3.1 document.',
    schema: OpenApiDocument,
    replies: { 200: 'The document.' },
    answer: ({ version }) => ({ body: openApiDocument(ROUTES, WRITE_ROUTES, version) }),
  }),
];
