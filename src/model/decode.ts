import { assertNever } from '../core/result.ts';
import { ok } from '../core/result.ts';
import { SharedTexts } from '../core/shared-texts.ts';
import type { CheckCatalog, CheckDefinition } from './check-definition.ts';
import { parseRecordJson } from './json.ts';
import { KnownRecord, parsedOf } from './known-record.ts';
import type { Kind, Place, Values } from './known-record.ts';
import { parsePath } from './paths.ts';
import type { RecordPath } from './paths.ts';
import type { Problem, ProblemEffect } from './problem.ts';
import { RealTable } from './real-table.ts';
import type { Reals } from './real-table.ts';
import type { AgentPatch, DecodeOutcome, Decoded, RawRecord, RecordSet } from './record-set.ts';
import { ApprovalRecord, DrainRecord } from './records/drain.ts';
import { RealRecord } from './records/real.ts';
import { ServiceRecord } from './records/service.ts';
import { VipRecord } from './records/vip.ts';
import { revisionOf } from './revision.ts';
import type { FieldProblem, Validator } from './validate.ts';
import { validatorOf } from './validate.ts';

type Validators = { readonly [K in Kind]: Validator<Values[K]> };

const NO_PROBLEMS: readonly FieldProblem[] = [];

/** Made when the first record of a kind comes, and only once: making one compiles its schema. */
const VALIDATORS = {
  vip: once(() => validatorOf(VipRecord)),
  service: once(() => validatorOf(ServiceRecord)),
  real: once(() => validatorOf(RealRecord)),
  drain: once(() => validatorOf(DrainRecord)),
  approval: once(() => validatorOf(ApprovalRecord)),
};

/** What people note is let go once it is checked: nothing here reads it, and it may be larger than all the rest. */
function once<T extends { _meta?: unknown }>(make: () => Validator<T>): Validator<T> {
  let made: Validator<T> | null = null;
  return (value) => {
    made ??= make();
    const validated = made(value);
    if (validated.ok && validated.value._meta !== undefined) validated.value._meta = undefined;
    return validated;
  };
}

/**
 * Turns what the store holds into records. Pure in what it returns; between calls it remembers what it parsed, so
 * that one edit among ten thousand records costs one parse.
 */
export class RecordDecoder {
  readonly #validators: Validators;
  /** By path: what the last call saw. */
  readonly #known = new Map<string, KnownRecord>();
  readonly #services = new SharedTexts();
  /** By path: last good versions, where the last call needed one. */
  #lastGood = new Map<string, KnownRecord>();
  /** What the last call gave as reals. */
  #reals: RecordSet['reals'] = new Map();
  /** What the last call gave as good; null = it did not come to its end. */
  #good: ReadonlyMap<string, RawRecord> | null = null;

  constructor(checks: CheckCatalog) {
    this.#validators = {
      ...VALIDATORS,
      check: (value) => checks.decode(value as Record<string, unknown>),
      // A patch is validated where it is merged.
      agent: (value) => ok(value as AgentPatch),
    };
  }

  /**
   * @param records everything under config/, folders (empty values) included
   * @param previous the good records of the call before, or of the last-known-good file
   */
  decode(records: ReadonlyMap<string, RawRecord>, previous: ReadonlyMap<string, RawRecord>): DecodeOutcome {
    const lastGood = new LastGood(previous, this.#lastGood, (place, raw) => this.#parse(place, raw));
    const collector = new Collector(this.#reals);
    const touched = new Touched();
    if (previous !== this.#good) touched.noteAll();
    this.#good = null;
    let seen = 0;
    for (const raw of records.values()) {
      if (raw.bytes.length === 0) continue;
      const known = this.#known.get(raw.path);
      const place = known?.place ?? this.#placeOf(raw.path);
      if (place.kind === 'folder') continue;
      if (place.kind === 'invalid') {
        collector.problem(raw.path, { field: '', found: place.found, allowed: place.allowed }, 'ignored');
        continue;
      }
      seen++;
      const entry = this.#entryOf(place, raw, known);
      if (entry.value === null || entry.value !== known?.value) touched.note(place);
      if (entry !== known) this.#known.set(raw.path, entry);
      if (entry.value !== null) {
        collector.add(entry);
        continue;
      }
      const before = lastGood.of(place, raw.path);
      const effect = before === undefined ? 'ignored' : 'last good version stays';
      for (const problem of entry.problems) collector.problem(raw.path, problem, effect);
      if (before !== undefined) collector.add(before);
    }
    collector.finishReals();
    if (this.#keepReferenced(records, lastGood, collector)) touched.noteAll();
    this.#lastGood = lastGood.used;
    if (this.#known.size > seen) this.#forget(records, touched);
    const outcome = collector.finish(revisionOf(records.values()));
    this.#good = outcome.good;
    this.#reals = outcome.records.reals;
    return { ...outcome, touched: touched.services };
  }

  /** Drops what is not in the store any more. */
  #forget(records: ReadonlyMap<string, RawRecord>, touched: Touched): void {
    for (const [path, { place }] of this.#known) {
      if ((records.get(path)?.bytes.length ?? 0) > 0) continue;
      this.#known.delete(path);
      touched.note(place);
    }
  }

  /** What was deleted while something still refers to it stays in force. @returns whether there was such a thing */
  #keepReferenced(records: ReadonlyMap<string, RawRecord>, lastGood: LastGood, collector: Collector): boolean {
    const keep = (kind: Kind, name: string, referrers: string): boolean => {
      const path = pathOf(kind, name);
      const place = parsePath(path);
      if (place.kind === 'folder' || place.kind === 'invalid') return false;
      const before = lastGood.of(place, path);
      if (before === undefined) return false;
      const found = records.get(path) === undefined ? 'nothing' : 'an empty value';
      const allowed = `the record, as long as ${referrers} refers to it`;
      collector.problem(path, { field: '', found, allowed }, 'last good version stays');
      collector.add(before);
      return true;
    };
    const orphans = collector.orphanServices();
    for (const service of orphans) {
      if (keep('service', service, `config/services/${service}/reals`)) continue;
      collector.dropOrphans(service);
    }
    const vips = collector.missingVips();
    for (const { name, referrer } of vips) keep('vip', name, referrer);
    const checks = collector.missingChecks();
    for (const { name, referrer } of checks) keep('check', name, referrer);
    return orphans.length + vips.length + checks.length > 0;
  }

  /** Reals share the name of their service. */
  #placeOf(path: string): RecordPath {
    const place = parsePath(path);
    return place.kind === 'real' ? { ...place, service: this.#services.of(place.service) } : place;
  }

  #entryOf(place: Place, raw: RawRecord, known: KnownRecord | undefined): KnownRecord {
    if (known === undefined || !isSame(known.raw, raw)) return this.#parse(place, raw);
    // After the whole store was read anew, what was read before must not be kept for the same bytes.
    return known.raw === raw ? known : new KnownRecord(raw, place, known.value, known.problems);
  }

  #parse(place: Place, raw: RawRecord): KnownRecord {
    const json = parseRecordJson(raw.bytes);
    if (!json.ok) return new KnownRecord(raw, place, null, [{ field: '', ...json.error }]);
    const validated = this.#validators[place.kind](json.value);
    if (!validated.ok) return new KnownRecord(raw, place, null, validated.error);
    return new KnownRecord(raw, place, validated.value, NO_PROBLEMS);
  }
}

/** Whether both say the same of the same record. A source that has not seen it change gives the very same object. */
function isSame(known: RawRecord, raw: RawRecord): boolean {
  if (known === raw) return true;
  if (known.modified !== raw.modified || known.created !== raw.created) return false;
  return Buffer.compare(known.bytes, raw.bytes) === 0;
}

/** Gathers what other records than before are about. */
class Touched {
  #services: Set<string> | null = new Set();

  get services(): ReadonlySet<string> | null {
    return this.#services;
  }

  note(place: Place): void {
    if (place.kind === 'real') this.#services?.add(place.service);
    else if (place.kind === 'service') this.#services?.add(place.name);
    else if (place.kind === 'vip' || place.kind === 'check' || place.kind === 'agent') this.noteAll();
  }

  noteAll(): void {
    this.#services = null;
  }
}

function pathOf(kind: Kind, name: string): string {
  return `config/${kind}s/${name}`;
}

/** Good versions of records that are not good now, each parsed once for as long as it is needed. */
class LastGood {
  readonly used = new Map<string, KnownRecord>();
  readonly #previous: ReadonlyMap<string, RawRecord>;
  readonly #known: ReadonlyMap<string, KnownRecord>;
  readonly #parse: (place: Place, raw: RawRecord) => KnownRecord;

  constructor(
    previous: ReadonlyMap<string, RawRecord>,
    known: ReadonlyMap<string, KnownRecord>,
    parse: (place: Place, raw: RawRecord) => KnownRecord,
  ) {
    this.#previous = previous;
    this.#known = known;
    this.#parse = parse;
  }

  of(place: Place, path: string): KnownRecord | undefined {
    const raw = this.#previous.get(path);
    if (raw === undefined) return undefined;
    const known = this.#known.get(path);
    const entry = known?.raw === raw ? known : this.#parse(place, raw);
    this.used.set(path, entry);
    return entry.value === null ? undefined : entry;
  }
}

interface Reference {
  readonly name: string;
  /** Path of the record that refers to it. */
  readonly referrer: string;
}

/** Gathers good records and problems while a snapshot is read. */
class Collector {
  readonly #vips = new Map<string, Decoded<VipRecord>>();
  readonly #services = new Map<string, Decoded<ServiceRecord>>();
  readonly #gathering: RealTable;
  #reals = new Map<string, Reals>();
  readonly #checks = new Map<string, Decoded<CheckDefinition>>();
  readonly #agents = new Map<string, Decoded<AgentPatch>>();
  readonly #drains = new Map<string, Decoded<DrainRecord>>();
  readonly #approvals = new Map<string, Decoded<ApprovalRecord>>();
  readonly #good = new Map<string, RawRecord>();
  readonly #problems: Problem[] = [];

  /** @param reals what the last call gave */
  constructor(reals: RecordSet['reals']) {
    this.#gathering = new RealTable(reals);
  }

  problem(path: string, problem: FieldProblem, effect: ProblemEffect): void {
    this.#problems.push({ path, ...problem, effect });
  }

  /** @param record one that has a value */
  add(record: KnownRecord): void {
    const { raw, place, name } = record;
    this.#good.set(raw.path, raw);
    const parsed = parsedOf(record);
    switch (parsed.kind) {
      case 'vip':
        this.#vips.set(name, parsed.record);
        return;
      case 'service':
        this.#services.set(name, parsed.record);
        return;
      case 'real':
        if (place.kind === 'real') this.#gathering.add(place.service, parsed.record);
        return;
      case 'check':
        this.#checks.set(name, parsed.record);
        return;
      case 'agent':
        this.#agents.set(name, parsed.record);
        return;
      case 'drain':
        this.#drains.set(name, parsed.record);
        return;
      case 'approval': {
        const revision = name.startsWith('sha256:') ? name : `sha256:${name}`;
        this.#approvals.set(revision, parsed.record);
        return;
      }
      default:
        assertNever(parsed);
    }
  }

  /** Every real that is in the store has been added; none is kept that is not. */
  finishReals(): void {
    this.#reals = this.#gathering.finish();
  }

  /** Services that have reals but no record. */
  orphanServices(): string[] {
    return [...this.#reals.keys()].filter((service) => !this.#services.has(service));
  }

  dropOrphans(service: string): void {
    for (const { path } of this.#reals.get(service)?.values() ?? []) {
      this.#good.delete(path);
      const allowed = `a real whose service has a record at config/services/${service}`;
      this.problem(path, { field: '', found: `no service ${JSON.stringify(service)}`, allowed }, 'ignored');
    }
    this.#reals.delete(service);
  }

  missingVips(): Reference[] {
    const missing = new Map<string, Reference>();
    for (const { path, value } of this.#services.values()) {
      if (!this.#vips.has(value.vip)) missing.set(value.vip, { name: value.vip, referrer: path });
    }
    return [...missing.values()];
  }

  missingChecks(): Reference[] {
    const missing = new Map<string, Reference>();
    const note = (path: string, checks: readonly string[]): void => {
      for (const name of checks) if (!this.#checks.has(name)) missing.set(name, { name, referrer: path });
    };
    for (const { path, value } of this.#services.values()) note(path, value.checks);
    for (const reals of this.#reals.values()) {
      for (const { path, value } of reals.values()) note(path, value.checks ?? []);
    }
    return [...missing.values()];
  }

  finish(revision: string): Omit<DecodeOutcome, 'touched'> {
    const records: RecordSet = {
      vips: this.#vips,
      services: this.#services,
      reals: this.#reals,
      checks: this.#checks,
      agents: this.#agents,
      drains: this.#drains,
      approvals: this.#approvals,
    };
    return { records, problems: this.#problems, good: this.#good, revision };
  }
}
