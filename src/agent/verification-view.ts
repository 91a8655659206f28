import type { VerificationView } from '../model/verification.ts';
import type { Verification } from './reconciler.ts';

/** An answer stays small, however much somebody has changed. */
const MAX_LISTED = 1_000;

/** Pure: a verification as the API tells it. */
export function verificationView({ compared, differences, ...rest }: Verification): VerificationView {
  return {
    compared,
    differences: differences.slice(0, MAX_LISTED).map(({ kind, text }) => ({ kind, found: text })),
    differenceCount: differences.length,
    operations: rest.operations,
    failures: [...rest.failures],
    foreignServices: rest.foreign,
  };
}
