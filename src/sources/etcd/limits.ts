/** A request without an answer for this long has failed: without a deadline a frozen member holds it for ever. */
export const REQUEST_TIMEOUT_MS = 2_000;
/**
 * The same for what is large, a page of a reading or a batch of records: a member that is busy with a whole fleet must
 * not be cut off and asked all over again. One that is frozen is found by its lease, which is sooner.
 */
export const BULK_TIMEOUT_MS = 10_000;
