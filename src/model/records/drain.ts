import Type from 'typebox';
import type { Static } from 'typebox';
import { choice, closedObject, text } from '../fields.ts';

const NAME = '[A-Za-z0-9][A-Za-z0-9._-]{0,62}';

export const DrainRecord = closedObject(
  {
    target: Type.String({
      pattern: `^(${NAME}/${NAME}|${NAME}|(vip|agent):${NAME})$`,
      allowed: '"SERVICE/REAL", "SERVICE", "vip:VIP" or "agent:AGENT"',
      description: 'What is drained: a real ("web/a"), a service ("web"), a VIP ("vip:web") or an agent ("agent:lb1").',
    }),
    by: text({ description: 'Who asked for it.' }, 100),
    why: text({ description: 'Why.' }),
    until: Type.Optional(
      Type.Refine(
        Type.String({
          pattern: '^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(\\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})$',
          allowed: 'a time with its zone, such as "2026-12-01T10:00:00Z"',
          description: 'When it ends; absent = when the record is deleted.',
        }),
        (value) => !Number.isNaN(Date.parse(value)),
        () => 'must be a time',
      ),
    ),
    onExpiry: choice(['undrain', 'keep'], {
      default: 'undrain',
      description: 'What follows at `until`: back to normal, or drained until the record is deleted.',
    }),
  },
  { description: 'A wish to take something out of service gently.' },
);
export type DrainRecord = Static<typeof DrainRecord>;

/** Approvals are named after the revision they release: its 64 hexadecimal digits, with or without "sha256:". */
export const APPROVAL_NAME_PATTERN = '^(sha256:)?[0-9a-f]{64}$';

export const ApprovalRecord = closedObject(
  {
    by: text({ description: 'Who approved.' }, 100),
    why: text({ default: '', description: 'Why.' }),
  },
  { description: 'Releases the change that the guard holds at this revision.' },
);
export type ApprovalRecord = Static<typeof ApprovalRecord>;
