import Type from 'typebox';
import type { Static } from 'typebox';
import { DRIFT_KINDS } from './drift-kinds.ts';

/** What a verification on demand came to: the answer of the API, which the command line prints. */
export const VerificationView = Type.Object(
  {
    compared: Type.Boolean({
      description:
        'false: nothing was known to compare with (the first reading, or after an error), or it is unreadable.',
    }),
    differences: Type.Array(
      Type.Object({
        kind: Type.String({ description: `One of ${DRIFT_KINDS.join(', ')}.` }),
        found: Type.String({ description: 'What somebody else had changed.' }),
      }),
      { description: 'At most 1,000 of them.' },
    ),
    differenceCount: Type.Integer({ description: 'How many there are in all.' }),
    operations: Type.Integer({
      description: 'Operations carried out in the kernel to mend them, and whatever was due.',
    }),
    failures: Type.Array(Type.String(), { description: 'What failed; empty = everything is as it should be.' }),
    foreignServices: Type.Integer({ description: 'Services in the kernel that are not ours, and were left alone.' }),
  },
  { description: 'What a verification found, and what became of it.' },
);
export type VerificationView = Static<typeof VerificationView>;
