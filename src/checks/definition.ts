import type Type from 'typebox';
import type { Static, TObject, TProperties } from 'typebox';
import { durationMs } from '../model/duration.ts';
import type * as Fields from '../model/fields.ts';
import { quoteFound } from '../model/problem.ts';
import type { FieldProblem } from '../model/validate.ts';
import type { CommonRecord } from './common-fields.ts';
import type { CheckDefinition } from './port.ts';
import type { Prober } from './prober.ts';

/**
 * What a check type builds its fields from. It comes as an argument because only the thread that reads records needs
 * schemas: loading their library would cost every checking thread 15 MB.
 */
export type FieldBuilders = typeof Fields & { readonly Type: typeof Type };

/** Fields that operators write, for one kind of check or for all. */
export type FieldsOf<P extends TProperties> = (builders: FieldBuilders) => P;

/**
 * A kind of check: what operators may write, what it means, and how it is carried out. Every check type is one of
 * these, listed in catalog.ts; nothing else in vipkeeper knows what a check does.
 */
export interface CheckType {
  /** The record's `type`. */
  readonly type: string;
  /** One paragraph for the reference: what a success proves. */
  readonly summary: string;
  /** The type's own fields, beside those that every type has. */
  readonly fields: FieldsOf<TProperties>;
  /** A record as an operator would write it; valid. */
  readonly example: Readonly<Record<string, unknown>>;
  /** What is wrong between fields, for a record that the schema has accepted and filled in. */
  problems(record: unknown): readonly FieldProblem[];
  /** The definition in milliseconds, for a record that the schema has accepted, filled in, and has no problems. */
  toDefinition(record: unknown): CheckDefinition;
  /** Prepares what all probes of one definition share. */
  prober(definition: CheckDefinition): Prober;
}

/** A type's own part of its record, once accepted. */
export type RecordOf<F extends FieldsOf<TProperties>> = Static<TObject<ReturnType<F>>>;

/** What `checkType` makes a check type of. */
interface CheckTypeSpec<P extends TProperties> {
  readonly type: string;
  readonly summary: string;
  readonly fields: FieldsOf<P>;
  readonly example: Readonly<Record<string, unknown>>;
  readonly problems?: (record: Static<TObject<P>>) => readonly FieldProblem[];
  /** The type's own part of the definition: everything that its prober reads. */
  readonly define: (record: Static<TObject<P>>) => Readonly<Record<string, unknown>>;
  readonly prober: (definition: CheckDefinition) => Prober;
}

/** Completes a type with what is common to all of them. */
export function checkType<P extends TProperties>(spec: CheckTypeSpec<P>): CheckType {
  const { type, summary, fields, example, prober } = spec;
  return {
    type,
    summary,
    fields,
    example,
    prober,
    problems(record) {
      const own = spec.problems?.(record as Static<TObject<P>>) ?? [];
      return [...commonProblems(record as CommonRecord), ...own];
    },
    toDefinition(record) {
      const { interval, timeout, jitter, port } = record as CommonRecord;
      return {
        type,
        intervalMs: durationMs(interval),
        timeoutMs: durationMs(timeout),
        jitter,
        ...(port === undefined ? {} : { port }),
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

/** The port that a probe goes to: the definition's own, or else the real's. */
export function probePort(definition: CheckDefinition, realPort: number): number {
  return typeof definition['port'] === 'number' ? definition['port'] : realPort;
}

/** The share of the interval by which starts are shifted, 0 where a definition has none. */
export function jitterOf(definition: CheckDefinition): number {
  return typeof definition['jitter'] === 'number' ? definition['jitter'] : 0;
}
