import type { TSchema } from 'typebox';
import type { ReplyDescription, Route } from './routes.ts';
import { ErrorReply, NAMED_SCHEMAS, plainSchema } from './schemas.ts';

/** Any JSON value of an OpenAPI document. */
type Node = Record<string, unknown>;

const names = new Map<object, string>(Object.entries(NAMED_SCHEMAS).map(([name, schema]) => [schema, name]));

/** The API as an OpenAPI 3.1 document, from the same routes and schemas that the server uses. */
export function openApiDocument(routes: readonly Route[], version: string) {
  return {
    openapi: '3.1.0',
    info: {
      title: 'vipkeeper',
      version,
      description: 'What one agent knows and does. Operators write to the store, not here.',
      license: { name: 'MIT', identifier: 'MIT' },
    },
    paths: Object.fromEntries(
      routes.map((route) => [templateOf(route.path), { [route.method === 'POST' ? 'post' : 'get']: operation(route) }]),
    ),
    components: {
      schemas: Object.fromEntries(
        Object.entries(NAMED_SCHEMAS).map(([name, schema]) => [name, plainSchema(schema, (node) => names.get(node))]),
      ),
    },
  };
}

/** '/v1/services/:name' → '/v1/services/{name}'. */
export function templateOf(path: string): string {
  return path.replaceAll(/:([a-z]+)/g, '{$1}');
}

function operation({ path, summary, replies }: Route): Node {
  const parameters = Array.from(path.matchAll(/:([a-z]+)/g), ([, name]) => {
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
