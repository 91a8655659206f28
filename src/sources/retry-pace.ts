import type { BackoffOptions } from '../core/backoff.ts';

/**
 * The pauses between attempts to reach the store. Short, so that a returning ensemble is found within a second; spread,
 * so that a fleet does not come all at once.
 */
export const RETRY_PACE: BackoffOptions = { firstMs: 50, maxMs: 500, factor: 2, jitter: 0.5 };
