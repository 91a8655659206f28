import type { CheckDefinition } from './check-definition.ts';
import type { RecordPath } from './paths.ts';
import type { AgentPatch, Decoded, RawRecord } from './record-set.ts';
import type { ApprovalRecord, DrainRecord } from './records/drain.ts';
import type { RealRecord } from './records/real.ts';
import type { ServiceRecord } from './records/service.ts';
import type { VipRecord } from './records/vip.ts';
import type { FieldProblem } from './validate.ts';

export type Kind = Exclude<RecordPath['kind'], 'folder' | 'invalid'>;

export interface Values {
  vip: VipRecord;
  service: ServiceRecord;
  real: RealRecord;
  check: CheckDefinition;
  agent: AgentPatch;
  drain: DrainRecord;
  approval: ApprovalRecord;
}

export type Parsed = { readonly [K in Kind]: { readonly kind: K; readonly record: Decoded<Values[K]> } }[Kind];

/** Where a record is, and not a folder. */
export type Place = Extract<RecordPath, { readonly kind: Kind }>;

/**
 * One record as it was read: either a value or problems. It is what is handed out of a good one, too, and asks the raw
 * record and the place for what they know, because there are ten thousand of each.
 */
export class KnownRecord {
  readonly raw: RawRecord;
  readonly place: Place;
  /** Of the kind that `place` says; `parsedOf` puts the two together. */
  readonly value: Values[Kind] | null;
  readonly problems: readonly FieldProblem[];

  constructor(raw: RawRecord, place: Place, value: Values[Kind] | null, problems: readonly FieldProblem[]) {
    this.raw = raw;
    this.place = place;
    this.value = value;
    this.problems = problems;
  }

  get name(): string {
    return this.place.name;
  }

  get path(): string {
    return this.raw.path;
  }

  get created(): bigint {
    return this.raw.created;
  }

  get modified(): bigint {
    return this.raw.modified;
  }
}

/**
 * Not kept: for ten thousand records that would be as many objects more.
 * @param record one that has a value
 */
export function parsedOf(record: KnownRecord): Parsed {
  return { kind: record.place.kind, record } as Parsed;
}
