import { describeError } from '../core/errors.ts';
import { VerificationView } from '../model/verification.ts';
import type { Route } from './route.ts';

/** Changes nothing that the agent would not change by itself a little later, so it needs no operator's credentials. */
export const VERIFY_ROUTE: Route = {
  path: '/v1/verify',
  method: 'POST',
  summary: 'Reads the kernel now, compares it with what should be in force, and mends what somebody else changed.',
  replies: {
    200: { description: 'What was found.', schema: VerificationView },
    503: { description: 'There is nothing in force to compare with.' },
  },
  async answer({ verify }) {
    const outcome = await verify();
    if (outcome.ok) return { kind: 'json', code: 200, body: outcome.value };
    return { kind: 'error', code: 503, error: 'UNAVAILABLE', message: describeError(outcome.error) };
  },
};
