/** A request without an answer for this long has failed: without a deadline a frozen member holds it for ever. */
export const REQUEST_TIMEOUT_MS = 2_000;
