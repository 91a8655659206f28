import type { Static, TSchema } from 'typebox';
import type { Result } from '../core/result.ts';
import { parseRecordJson } from '../model/json.ts';
import type { Validator } from '../model/validate.ts';
import { validatorOf } from '../model/validate.ts';
import type { DeskReceipt, DeskRefusal, Expected, OperatorDesk } from './operator-desk.ts';
import type { Reply, ReplyDescription } from './route.ts';
import type { ApiErrorCode } from './schemas.ts';
import { ApprovalRequest, DrainRequestBody, RecordBody, WriteReceipt } from './schemas.ts';

/** What a write may look at. */
export interface WriteContext {
  readonly desk: OperatorDesk;
  /** Whose credentials they are. */
  readonly user: string;
  readonly params: Readonly<Record<string, string>>;
  /** As it came. */
  readonly body: Uint8Array;
  readonly ifMatch: string | undefined;
  readonly ifNoneMatch: string | undefined;
  /** Revisions that this agent holds. */
  readonly held: readonly string[];
}

/** One route that writes: for the server, for OpenAPI and for the reference page alike. */
export interface WriteRoute {
  readonly method: 'PUT' | 'DELETE' | 'POST';
  /** As fastify has it: '/v1/drains/:id', '/v1/config/*'. */
  readonly path: string;
  readonly summary: string;
  readonly body: TSchema | null;
  readonly conditional: boolean;
  readonly replies: Readonly<Record<string, ReplyDescription>>;
  answer(context: WriteContext): Promise<Reply>;
}

const RECEIPT = { schema: WriteReceipt };
const COMMON = {
  409: { description: 'The record is not as it was expected, or cannot be changed like this.' },
  422: { description: 'The records would not be valid; the message says what is wrong, and nothing was written.' },
  503: { description: 'The store could not be asked, or its answer was lost.' },
};

export const WRITE_ROUTES: readonly WriteRoute[] = [
  {
    method: 'PUT',
    path: '/v1/config/*',
    summary: 'Write a record, if all records are valid with it: as `vipkeeper set` does.',
    body: RecordBody,
    conditional: true,
    replies: {
      200: { description: 'It was changed, or was the same already.', ...RECEIPT },
      201: { description: 'It was created.', ...RECEIPT },
      ...COMMON,
    },
    async answer({ desk, params, body, ifMatch, ifNoneMatch }) {
      // An empty value is a folder: it would delete the record.
      if (body.length === 0) return failed(400, 'BAD_REQUEST', 'the body is empty; DELETE deletes a record');
      const path = `config/${params['*'] ?? ''}`;
      return conditionally(ifMatch, ifNoneMatch, (expected) => desk.put(path, body, expected));
    },
  },
  {
    method: 'DELETE',
    path: '/v1/config/*',
    summary: 'Delete a record that has none below it, if all others are valid without it.',
    body: null,
    conditional: true,
    replies: {
      200: { description: 'It was deleted.', ...RECEIPT },
      404: { description: 'There is no such record.' },
      ...COMMON,
    },
    answer: ({ desk, params, ifMatch, ifNoneMatch }) =>
      conditionally(ifMatch, ifNoneMatch, (expected) => desk.remove(`config/${params['*'] ?? ''}`, expected)),
  },
  {
    method: 'POST',
    path: '/v1/drains',
    summary: 'Take a real, a service, a VIP or an agent out of service gently.',
    body: DrainRequestBody,
    conditional: false,
    replies: { 201: { description: 'There is a record for it now.', ...RECEIPT }, ...COMMON },
    answer: ({ desk, user, body }) =>
      parsed(body, drainBody, async ({ target, by, why, until, onExpiry }) =>
        replyOf(await desk.drain({ target, by: by ?? user, why, until: until ?? null, keep: onExpiry === 'keep' })),
      ),
  },
  {
    method: 'DELETE',
    path: '/v1/drains/:id',
    summary: 'End a drain, by the name of its record.',
    body: null,
    conditional: false,
    replies: {
      200: { description: 'The record is deleted.', ...RECEIPT },
      404: { description: 'There is no such drain.' },
      ...COMMON,
    },
    answer: async ({ desk, params }) => replyOf(await desk.remove(`config/drains/${params['id'] ?? ''}`, undefined)),
  },
  {
    method: 'POST',
    path: '/v1/approvals',
    summary: 'Let a change pass that the guard holds.',
    body: ApprovalRequest,
    conditional: false,
    replies: {
      201: { description: 'It is approved.', ...RECEIPT },
      404: { description: 'This agent does not hold that revision; `force` approves it all the same.' },
      ...COMMON,
    },
    answer: ({ desk, user, body, held }) =>
      parsed(body, approvalBody, async ({ revision, by, why, force }) => {
        if (!held.includes(revision) && force !== true) {
          return failed(404, 'NOT_FOUND', `this agent does not hold ${revision}; "force": true approves it anyway`);
        }
        return replyOf(await desk.approve(revision, { by: by ?? user, why: why ?? '' }));
      }),
  },
];

const drainBody = validatorOf(DrainRequestBody);
const approvalBody = validatorOf(ApprovalRequest);

async function parsed<T>(body: Uint8Array, validate: Validator<T>, use: (value: T) => Promise<Reply>): Promise<Reply> {
  const json = parseRecordJson(body);
  if (!json.ok) return failed(400, 'BAD_REQUEST', `the body: found ${json.error.found}, allowed ${json.error.allowed}`);
  const checked = validate(json.value);
  if (checked.ok) return use(checked.value);
  const faults = checked.error.map(({ field, found, allowed }) => `${field}: found ${found}, allowed ${allowed}`);
  return failed(422, 'INVALID', faults.join('; '));
}

/** `If-Match: "4711"` or `*`, or `If-None-Match: *`; without either what is there now is replaced. */
async function conditionally(
  ifMatch: string | undefined,
  ifNoneMatch: string | undefined,
  write: (expected: Expected) => Promise<Result<DeskReceipt, DeskRefusal>>,
): Promise<Reply> {
  if (ifMatch !== undefined && ifNoneMatch !== undefined) {
    return failed(400, 'BAD_REQUEST', 'either If-Match or If-None-Match');
  }
  if (ifNoneMatch !== undefined) {
    if (ifNoneMatch.trim() === '*') return replyOf(await write(null));
    return failed(400, 'BAD_REQUEST', 'If-None-Match takes "*" only: the record must not exist');
  }
  if (ifMatch === undefined) return replyOf(await write(undefined));
  const [, digits] = /^"?([0-9]{1,20})"?$/.exec(ifMatch.trim()) ?? [];
  if (digits !== undefined) return replyOf(await write(BigInt(digits)));
  return failed(400, 'BAD_REQUEST', 'If-Match takes one revision, as "vipkeeper get --json" shows it under "modified"');
}

function replyOf(answer: Result<DeskReceipt, DeskRefusal>): Reply {
  if (!answer.ok) return refusalOf(answer.error);
  const { path, outcome, revision } = answer.value;
  const body: Static<typeof WriteReceipt> = { path, outcome, revision: revision?.toString() ?? null };
  return { kind: 'json', code: outcome === 'created' ? 201 : 200, body };
}

function refusalOf(refusal: DeskRefusal): Reply {
  switch (refusal.kind) {
    case 'invalid': {
      const faults = refusal.problems.map(({ path, field, found, allowed }) => {
        return `${path}: ${field === '' ? '' : `${field}: `}found ${found}, allowed ${allowed}`;
      });
      return failed(422, 'INVALID', faults.join('; '));
    }
    case 'notFound':
      return failed(404, 'NOT_FOUND', refusal.message);
    case 'conflict':
      return failed(409, 'CONFLICT', refusal.message);
    case 'store':
      return failed(503, 'STORE_UNAVAILABLE', `${refusal.error.code}: ${refusal.error.message}`);
  }
}

function failed(code: number, error: ApiErrorCode, message: string): Reply {
  return { kind: 'error', code, error, message };
}
