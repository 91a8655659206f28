import type { TSchema } from 'typebox';
import type { ReplyDescription, Route } from './route.ts';
import type { WriteRoute } from './write-routes.ts';
import { ErrorReply, NAMED_SCHEMAS, plainSchema } from './schemas.ts';

/** Any JSON value of an OpenAPI document. */
type Node = Record<string, unknown>;

const names = new Map<object, string>(Object.entries(NAMED_SCHEMAS).map(([name, schema]) => [schema, name]));

/** The API as an OpenAPI 3.1 document, from the same routes and schemas that the server uses. */
export function openApiDocument(routes: readonly Route[], writeRoutes: readonly WriteRoute[], version: string) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'vipkeeper',
      version,
      description: 'What one agent knows and does, and, where operators have credentials for it, writes to its store.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    paths: pathsOf(routes, writeRoutes),
    components: {
      schemas: Object.fromEntries(
        Object.entries(NAMED_SCHEMAS).map(([name, schema]) => [name, plainSchema(schema, (node) => names.get(node))]),
      ),
      securitySchemes: {
        operator: { type: 'http', scheme: 'basic', description: 'The credentials of store.operatorAuth.' },
      },
    },
  };
}

function pathsOf(routes: readonly Route[], writeRoutes: readonly WriteRoute[]): Node {
  const paths = new Map<string, Node>();
  const add = (path: string, method: string, node: Node): void => {
    const template = templateOf(path);
    paths.set(template, { ...paths.get(template), [method]: node });
  };
  for (const route of routes) add(route.path, route.method === 'POST' ? 'post' : 'get', operation(route));
  for (const route of writeRoutes) add(route.path, route.method.toLowerCase(), writeOperation(route));
  return Object.fromEntries(paths);
}

/** '/v1/services/:name' → '/v1/services/{name}', '/v1/config/*' → '/v1/config/{path}'. */
export function templateOf(path: string): string {
  return path.replaceAll(/:([a-z]+)/g, '{$1}').replace('*', '{path}');
}

function writeOperation(route: WriteRoute): Node {
  const { parameters = [], ...rest } = operation(route) as { parameters?: readonly Node[] };
  const conditions = ['If-Match', 'If-None-Match'].map((name) => ({ name, in: 'header', schema: { type: 'string' } }));
  const all = [...parameters, ...(route.conditional ? conditions : [])];
  return {
    ...rest,
    ...(all.length === 0 ? {} : { parameters: all }),
    ...(route.body === null ? {} : { requestBody: { required: true, ...jsonContent(route.body) } }),
    security: [{ operator: [] }],
  };
}

function operation({ path, summary, replies }: Pick<Route, 'path' | 'summary' | 'replies'>): Node {
  const parameters = Array.from(templateOf(path).matchAll(/\{([a-z]+)\}/g), ([, name]) => {
    return { name, in: 'path', required: true, schema: { type: 'string' } };
  });
  const described = Object.entries(replies).map(([code, reply]) => [code, response(reply)] as const);
  const failure = { description: 'Any error.', ...jsonContent(ErrorReply) };
  return {
    summary,
    ...(parameters.length === 0 ? {} : { parameters }),
    responses: { ...Object.fromEntries(described), default: failure },
  };
}

function response({ description, schema, contentType }: ReplyDescription): Node {
  if (contentType !== undefined) {
    return { description, content: { [contentType.split(';')[0] ?? contentType]: { schema: { type: 'string' } } } };
  }
  return { description, ...jsonContent(schema ?? ErrorReply) };
}

function jsonContent(schema: TSchema): Node {
  const name = names.get(schema);
  const shown = name === undefined ? plainSchema(schema) : { $ref: `#/components/schemas/${name}` };
  return { content: { 'application/json': { schema: shown } } };
}
