import { assertNever } from '../core/result.ts';
import { ok } from '../core/result.ts';
import type { CheckCatalog, CheckDefinition } from './check-definition.ts';
import { parseRecordJson } from './json.ts';
import { parsePath } from './paths.ts';
import type { RecordPath } from './paths.ts';
import type { Problem, ProblemEffect } from './problem.ts';
import type { AgentPatch, DecodeOutcome, Decoded, RawRecord, RecordSet } from './record-set.ts';
import { ApprovalRecord, DrainRecord } from './records/drain.ts';
import { RealRecord } from './records/real.ts';
import { ServiceRecord } from './records/service.ts';
import { VipRecord } from './records/vip.ts';
import { revisionOf } from './revision.ts';
import type { FieldProblem, Validator } from './validate.ts';
import { validatorOf } from './validate.ts';

type Kind = Exclude<RecordPath['kind'], 'folder' | 'invalid'>;

interface Values {
  vip: VipRecord;
  service: ServiceRecord;
  real: RealRecord;
  check: CheckDefinition;
  agent: AgentPatch;
  drain: DrainRecord;
  approval: ApprovalRecord;
}

type Validators = { readonly [K in Kind]: Validator<Values[K]> };

type Parsed = { readonly [K in Kind]: { readonly kind: K; readonly value: Values[K] } }[Kind];

/** Flat, because there is one for each of ten thousand records: either a value or problems. */
interface CacheEntry {
  readonly raw: RawRecord;
  readonly parsed: Parsed | null;
  readonly problems: readonly FieldProblem[];
}

const NO_PROBLEMS: readonly FieldProblem[] = [];

/** Made when the first record of a kind comes, and only once: making one compiles its schema. */
const VALIDATORS = {
  vip: once(() => validatorOf(VipRecord)),
  service: once(() => validatorOf(ServiceRecord)),
  real: once(() => validatorOf(RealRecord)),
  drain: once(() => validatorOf(DrainRecord)),
  approval: once(() => validatorOf(ApprovalRecord)),
};

function once<T>(make: () => Validator<T>): Validator<T> {
  let made: Validator<T> | null = null;
  return (value) => {
    made ??= make();
    return made(value);
  };
}

/**
 * Turns what the store holds into records. Pure in what it returns; between calls it remembers what it parsed, so
 * that one edit among ten thousand records costs one parse.
 */
export class RecordDecoder {
  readonly #validators: Validators;
  #cache = new Map<string, CacheEntry>();

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
    const cache = new Map<string, CacheEntry>();
    const collector = new Collector();
    for (const raw of records.values()) {
      const place = parsePath(raw.path);
      if (place.kind === 'folder') continue;
      if (raw.bytes.length === 0) continue;
      if (place.kind === 'invalid') {
        collector.problem(raw.path, { field: '', found: place.found, allowed: place.allowed }, 'ignored');
        continue;
      }
      const { parsed, problems } = this.#parse(place.kind, raw, cache);
      if (parsed !== null) {
        collector.add(place, parsed, raw);
        continue;
      }
      const lastGood = this.#lastGood(place.kind, previous.get(raw.path), cache);
      const effect = lastGood === undefined ? 'ignored' : 'last good version stays';
      for (const problem of problems) collector.problem(raw.path, problem, effect);
      if (lastGood !== undefined) collector.add(place, lastGood.parsed, lastGood.raw);
    }
    this.#keepReferenced(records, previous, collector, cache);
    this.#cache = cache;
    return collector.finish(revisionOf(records.values()));
  }

  /** What was deleted while something still refers to it stays in force. */
  #keepReferenced(
    records: ReadonlyMap<string, RawRecord>,
    previous: ReadonlyMap<string, RawRecord>,
    collector: Collector,
    cache: Map<string, CacheEntry>,
  ): void {
    const keep = (kind: Kind, name: string, referrers: string): boolean => {
      const path = pathOf(kind, name);
      const place = parsePath(path);
      if (place.kind === 'folder' || place.kind === 'invalid') return false;
      const lastGood = this.#lastGood(kind, previous.get(path), cache);
      if (lastGood === undefined) return false;
      const found = records.get(path) === undefined ? 'nothing' : 'an empty value';
      const allowed = `the record, as long as ${referrers} refers to it`;
      collector.problem(path, { field: '', found, allowed }, 'last good version stays');
      collector.add(place, lastGood.parsed, lastGood.raw);
      return true;
    };
    for (const service of collector.orphanServices()) {
      if (keep('service', service, `config/services/${service}/reals`)) continue;
      collector.dropOrphans(service);
    }
    for (const { name, referrer } of collector.missingVips()) keep('vip', name, referrer);
    for (const { name, referrer } of collector.missingChecks()) keep('check', name, referrer);
  }

  #parse(kind: Kind, raw: RawRecord, cache: Map<string, CacheEntry>): CacheEntry {
    const known = this.#cache.get(raw.path);
    const same = known !== undefined && known.raw.modified === raw.modified && known.raw.created === raw.created;
    if (same && Buffer.compare(known.raw.bytes, raw.bytes) === 0) {
      cache.set(raw.path, known);
      return known;
    }
    const entry = this.#parseFresh(kind, raw);
    cache.set(raw.path, entry);
    return entry;
  }

  #parseFresh(kind: Kind, raw: RawRecord): CacheEntry {
    const json = parseRecordJson(raw.bytes);
    if (!json.ok) return { raw, parsed: null, problems: [{ field: '', ...json.error }] };
    const validated = this.#validators[kind](json.value);
    if (!validated.ok) return { raw, parsed: null, problems: validated.error };
    return { raw, parsed: { kind, value: validated.value } as Parsed, problems: NO_PROBLEMS };
  }

  #lastGood(
    kind: Kind,
    raw: RawRecord | undefined,
    cache: Map<string, CacheEntry>,
  ): { readonly raw: RawRecord; readonly parsed: Parsed } | undefined {
    if (raw === undefined) return undefined;
    const key = `last good ${raw.path}`;
    const known = this.#cache.get(key);
    const entry = known?.raw === raw ? known : this.#parseFresh(kind, raw);
    cache.set(key, entry);
    return entry.parsed === null ? undefined : { raw, parsed: entry.parsed };
  }
}

function pathOf(kind: Kind, name: string): string {
  return `config/${kind}s/${name}`;
}

function decodedOf<T>(name: string, { path, created, modified }: RawRecord, value: T): Decoded<T> {
  return { name, path, value, created, modified };
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
  readonly #reals = new Map<string, Map<string, Decoded<RealRecord>>>();
  readonly #checks = new Map<string, Decoded<CheckDefinition>>();
  readonly #agents = new Map<string, Decoded<AgentPatch>>();
  readonly #drains = new Map<string, Decoded<DrainRecord>>();
  readonly #approvals = new Map<string, Decoded<ApprovalRecord>>();
  readonly #good = new Map<string, RawRecord>();
  readonly #problems: Problem[] = [];

  problem(path: string, problem: FieldProblem, effect: ProblemEffect): void {
    this.#problems.push({ path, ...problem, effect });
  }

  add(place: RecordPath, parsed: Parsed, raw: RawRecord): void {
    if (place.kind === 'folder' || place.kind === 'invalid') return;
    this.#good.set(raw.path, raw);
    switch (parsed.kind) {
      case 'vip':
        this.#vips.set(place.name, decodedOf(place.name, raw, parsed.value));
        return;
      case 'service':
        this.#services.set(place.name, decodedOf(place.name, raw, parsed.value));
        return;
      case 'real':
        if (place.kind === 'real')
          this.#realsOf(place.service).set(place.name, decodedOf(place.name, raw, parsed.value));
        return;
      case 'check':
        this.#checks.set(place.name, decodedOf(place.name, raw, parsed.value));
        return;
      case 'agent':
        this.#agents.set(place.name, decodedOf(place.name, raw, parsed.value));
        return;
      case 'drain':
        this.#drains.set(place.name, decodedOf(place.name, raw, parsed.value));
        return;
      case 'approval': {
        const revision = place.name.startsWith('sha256:') ? place.name : `sha256:${place.name}`;
        this.#approvals.set(revision, decodedOf(place.name, raw, parsed.value));
        return;
      }
      default:
        assertNever(parsed);
    }
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

  finish(revision: string): DecodeOutcome {
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

  #realsOf(service: string): Map<string, Decoded<RealRecord>> {
    let reals = this.#reals.get(service);
    if (reals === undefined) {
      reals = new Map();
      this.#reals.set(service, reals);
    }
    return reals;
  }
}
