import Type from 'typebox';
import type { Static, TSchema } from 'typebox';
import { flag, nestedObject, text } from '../model/fields.ts';
import { DrainRecord } from '../model/records/drain.ts';
import { HoldView, PeerView, ProblemView, RealView, ServiceView, StatusView, VipView } from '../model/status.ts';
import { VerificationView } from '../model/verification.ts';

/** A schema as plain JSON, for tools that know nothing of the library it was written with. */
export type JsonSchema = Record<string, unknown>;

export const API_ERROR_CODES = {
  BAD_REQUEST: 'The request is not HTTP that can be understood.',
  UNAUTHORIZED: 'A write shows the credentials of `store.operatorAuth` in the bootstrap file, as HTTP Basic.',
  FORBIDDEN: 'Writes are off (no `store.operatorAuth`), or not taken from there; the message says which.',
  NOT_FOUND: 'There is no such route, service or record; the message says which there are.',
  METHOD_NOT_ALLOWED: 'The route does not take that method; the header Allow says which it takes.',
  CONFLICT: 'The record is not at the revision that was expected, or the change cannot be made like this.',
  UNSUPPORTED_MEDIA_TYPE: 'A body is application/json.',
  INVALID: 'The records would not be valid; the message says path, field, found and allowed. Nothing was written.',
  STORE_UNAVAILABLE: 'The store could not be asked, or its answer was lost; the message has its error code.',
  REQUEST_TOO_LARGE: 'The request is larger than it can be.',
  UNAVAILABLE: 'What was asked for cannot be done now; the message says why.',
  INTERNAL: 'A defect in vipkeeper itself; the log of the agent has the details.',
} as const;
export type ApiErrorCode = keyof typeof API_ERROR_CODES;

const codes = Object.keys(API_ERROR_CODES) as ApiErrorCode[];

export const ErrorReply = Type.Object(
  {
    error: Type.Object({
      code: Type.Enum(codes, { description: 'What kind of error; stable.' }),
      message: Type.String({ description: 'The same for people, with the details.' }),
    }),
  },
  { description: 'Every error has this shape.' },
);
export type ErrorReply = Static<typeof ErrorReply>;

export const Alive = Type.Object(
  { alive: Type.Boolean({ description: 'Always true; that there is an answer is the message.' }) },
  { description: 'The event loop answers.' },
);

export const Readiness = Type.Object(
  {
    ready: Type.Boolean({ description: 'Whether the agent does all of its work.' }),
    reasons: Type.Array(Type.String(), { description: 'Why it does not; empty when it is ready.' }),
  },
  { description: 'Whether the agent does all of its work, and if not, why.' },
);

export const ServiceSummary = Type.Object(
  {
    name: Type.String(),
    vip: Type.String(),
    state: Type.String({ description: "The operators' wish: enabled, drain or disabled." }),
    quorum: Type.Enum(['held', 'lost']),
    quorumCause: Type.String(),
    reals: Type.Object(
      { up: Type.Integer(), down: Type.Integer(), unknown: Type.Integer() },
      { description: 'How many reals have which verdict.' },
    ),
  },
  { description: 'One line about a service.' },
);

export const ServiceList = Type.Object({ services: Type.Array(ServiceSummary) });

export const ProblemList = Type.Object({
  problems: Type.Array(ProblemView, { description: 'What is wrong with records.' }),
  holds: Type.Array(HoldView, { description: 'Changes that the guard holds until they are approved.' }),
});

export const PeerList = Type.Object({ peers: Type.Array(PeerView) });

export const WriteReceipt = Type.Object(
  {
    path: Type.String({ description: 'Path of the record under the root.' }),
    outcome: Type.Enum(['created', 'changed', 'unchanged', 'deleted'], { description: 'What became of it.' }),
    revision: Type.Union([Type.String(), Type.Null()], {
      description: 'Its revision now, for `If-Match`, decimal; null = it is gone.',
    }),
  },
  { description: 'A record was written.' },
);

export const RecordBody = Type.Object({}, { description: 'The record, stored byte for byte.' });

const { target, why, until, onExpiry } = DrainRecord.properties;
const by = Type.Optional(text({ description: 'Who; absent = the user of the credentials.' }, 100));

export const DrainRequestBody = nestedObject(
  { target, why, until, onExpiry, by },
  { description: 'A wish to take something out of service gently.' },
);

export const ApprovalRequest = nestedObject(
  {
    revision: Type.String({
      pattern: '^sha256:[0-9a-f]{64}$',
      allowed: '"sha256:" and 64 hexadecimal digits',
      description: 'The revision that is held, as `/v1/problems` shows it.',
    }),
    by,
    why: Type.Optional(text({ description: 'Why.' })),
    force: Type.Optional(flag({ description: 'Also if this agent does not hold it.' })),
  },
  { description: 'Lets a change pass that the guard holds.' },
);

export const OpenApiDocument = Type.Object(
  { openapi: Type.String(), info: Type.Unknown(), paths: Type.Unknown(), components: Type.Unknown() },
  { description: 'An OpenAPI 3.1 document.' },
);

/** What OpenAPI calls components: schemas that are shown under a name of their own. */
export const NAMED_SCHEMAS: Readonly<Record<string, TSchema>> = {
  ErrorReply,
  Alive,
  Readiness,
  ServiceSummary,
  ServiceList,
  ProblemList,
  PeerList,
  WriteReceipt,
  RecordBody,
  DrainRequestBody,
  ApprovalRequest,
  HoldView,
  PeerView,
  ProblemView,
  RealView,
  ServiceView,
  StatusView,
  VerificationView,
  VipView,
};

export const JSON_CONTENT_TYPE = 'application/json; charset=utf-8';

/**
 * A schema as plain JSON Schema. A choice between one plain type and null is written as `type: [T, 'null']`, which
 * says the same, reads better, and makes fastify's serializer four times faster on a large status.
 * @param reference the name to refer to a nested schema by, undefined to write it out
 */
export function plainSchema(schema: TSchema, reference: (nested: object) => string | undefined = () => undefined) {
  const convert = (node: unknown, top: boolean): unknown => {
    if (Array.isArray(node)) return node.map((item) => convert(item, false));
    if (typeof node !== 'object' || node === null) return node;
    const name = top ? undefined : reference(node);
    if (name !== undefined) return { $ref: `#/components/schemas/${name}` };
    const plain = Object.fromEntries(Object.entries(node).map(([key, value]) => [key, convert(value, false)]));
    return withoutNullBranch(plain);
  };
  return convert(schema, true) as JsonSchema;
}

function withoutNullBranch(node: JsonSchema): JsonSchema {
  const { anyOf, ...rest } = node;
  if (!Array.isArray(anyOf) || anyOf.length !== 2) return node;
  const [value, none] = anyOf as [JsonSchema, JsonSchema];
  if (none['type'] !== 'null' || typeof value['type'] !== 'string' || value['type'] === 'object') return node;
  return { ...value, ...rest, type: [value['type'], 'null'] };
}
