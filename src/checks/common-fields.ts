import Type from 'typebox';
import type { Static, TObject } from 'typebox';
import { durationMs } from '../model/duration.ts';
import * as Fields from '../model/fields.ts';

/* Loaded by the thread that reads records, never by a checking thread. */

const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 3_600_000;
const MIN_TIMEOUT_MS = 10;

/** The fields of every check type. */
export const commonFields = {
  interval: boundedDuration(MIN_INTERVAL_MS, MAX_INTERVAL_MS, {
    default: '2s',
    description: 'From the start of one probe to the start of the next.',
    allowed: 'a duration from "100ms" to "1h", with its unit',
  }),
  timeout: boundedDuration(MIN_TIMEOUT_MS, MAX_INTERVAL_MS, {
    default: '1s',
    description: 'A probe that is not finished after this time has failed; at most the interval.',
    allowed: 'a duration from "10ms" up to the interval, with its unit',
  }),
  jitter: Type.Number({
    minimum: 0,
    maximum: 0.5,
    default: 0.1,
    description: 'Share of the interval by which each start is shifted at random, so that agents do not march in step.',
    allowed: 'a number, 0 to 0.5',
  }),
  port: Type.Optional(Fields.port({ description: "The port to probe instead of the real's own." })),
};

/** What a record has of them, once accepted. */
export type CommonRecord = Static<TObject<typeof commonFields>>;

function boundedDuration(minMs: number, maxMs: number, options: Fields.FieldOptions) {
  const within = (text: string): boolean => {
    try {
      const ms = durationMs(text);
      return ms >= minMs && ms <= maxMs;
    } catch {
      return false;
    }
  };
  return Type.Refine(Fields.duration(options), within, () => 'must be within bounds');
}
