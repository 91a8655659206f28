import Type from 'typebox';
import type { Static, TObject, TProperties, TSchema } from 'typebox';
import { durationMs } from '../model/duration.ts';
import type { FieldOptions } from '../model/fields.ts';
import { closedObject, duration, port } from '../model/fields.ts';
import { quoteFound } from '../model/problem.ts';
import type { FieldProblem } from '../model/validate.ts';
import type { CheckDefinition } from './port.ts';
import type { Prober } from './prober.ts';

/**
 * A kind of check: what operators may write, what it means, and how it is carried out. Every check type is one of
 * these, listed in catalog.ts; nothing else in vipkeeper knows what a check does.
 */
export interface CheckType {
  /** The record's `type`. */
  readonly type: string;
  /** One paragraph for the reference: what a success proves. */
  readonly summary: string;
  /** The whole record, defaults and descriptions included. */
  readonly schema: TSchema;
  /** A record as an operator would write it; valid. */
  readonly example: Readonly<Record<string, unknown>>;
  /** What is wrong between fields, for a record that the schema has accepted and filled in. */
  problems(record: unknown): readonly FieldProblem[];
  /** The definition in milliseconds, for a record that the schema has accepted, filled in, and has no problems. */
  toDefinition(record: unknown): CheckDefinition;
  /** Prepares what all probes of one definition share. */
  prober(definition: CheckDefinition): Prober;
}

const MIN_INTERVAL_MS = 100;
const MAX_INTERVAL_MS = 3_600_000;
const MIN_TIMEOUT_MS = 10;

/** The fields of every check type. */
const commonFields = {
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
  port: Type.Optional(port({ description: "The port to probe instead of the real's own." })),
};
type CommonRecord = Static<TObject<typeof commonFields>>;

/** What `checkType` makes of a type's own part. */
interface CheckTypeSpec<P extends TProperties> {
  readonly type: string;
  readonly summary: string;
  /** The type's own fields, beside the common ones. */
  readonly fields: P;
  readonly example: Readonly<Record<string, unknown>>;
  readonly problems?: (record: Static<TObject<P>>) => readonly FieldProblem[];
  /** The type's own part of the definition, with everything in it that its prober reads. */
  readonly define: (record: Static<TObject<P>>) => Readonly<Record<string, unknown>>;
  readonly prober: (definition: CheckDefinition) => Prober;
}

/** Completes a type with the common fields and their rules. */
export function checkType<P extends TProperties>(spec: CheckTypeSpec<P>): CheckType {
  const type = Type.Literal(spec.type, { description: 'The kind of check.', allowed: JSON.stringify(spec.type) });
  const schema = closedObject({ type, ...commonFields, ...spec.fields }, { description: spec.summary });
  return {
    type: spec.type,
    summary: spec.summary,
    schema,
    example: spec.example,
    prober: spec.prober,
    problems(record) {
      const own = spec.problems?.(record as Static<TObject<P>>) ?? [];
      return [...commonProblems(record as CommonRecord), ...own];
    },
    toDefinition(record) {
      const common = record as CommonRecord;
      return {
        type: spec.type,
        intervalMs: durationMs(common.interval),
        timeoutMs: durationMs(common.timeout),
        jitter: common.jitter,
        ...(common.port === undefined ? {} : { port: common.port }),
        ...spec.define(record as Static<TObject<P>>),
      };
    },
  };
}

function commonProblems(record: CommonRecord): readonly FieldProblem[] {
  if (durationMs(record.timeout) <= durationMs(record.interval)) return [];
  const allowed = `at most the interval (${quoteFound(record.interval)})`;
  return [{ field: 'timeout', found: quoteFound(record.timeout), allowed }];
}

function boundedDuration(minMs: number, maxMs: number, options: FieldOptions) {
  const within = (text: string): boolean => {
    try {
      const ms = durationMs(text);
      return ms >= minMs && ms <= maxMs;
    } catch {
      return false;
    }
  };
  return Type.Refine(duration(options), within, () => 'must be within bounds');
}

/** The port that a probe goes to: the definition's own, or else the real's. */
export function probePort(definition: CheckDefinition, realPort: number): number {
  return typeof definition['port'] === 'number' ? definition['port'] : realPort;
}

/** The share of the interval by which starts are shifted, 0 where a definition has none. */
export function jitterOf(definition: CheckDefinition): number {
  return typeof definition['jitter'] === 'number' ? definition['jitter'] : 0;
}

/** JSON with sorted keys: two definitions that mean the same are the same text. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_key, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner)
      ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
      : inner,
  );
}
