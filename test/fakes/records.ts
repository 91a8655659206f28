import { desiredState } from '../../src/agent/policy/desired.ts';
import type { Desired, DesiredReal, DesiredService } from '../../src/agent/policy/desired-state.ts';
import { named } from '../../src/agent/policy/desired-state.ts';
import { checkCatalog } from '../../src/checks/decode.ts';
import { RecordDecoder } from '../../src/model/decode.ts';
import type { Problem } from '../../src/model/problem.ts';
import type { DecodeOutcome, RawRecord, RecordSet } from '../../src/model/record-set.ts';

// Compiling the schemas takes longer than decoding a small store, so all tests of a file share them.
const decoder = new RecordDecoder(checkCatalog);

/** What a store holds: path under config/ → JSON value, or text that is stored as it stands. */
export type StoreContent = Readonly<Record<string, unknown>>;

/** Records as a store would give them, created in the order in which they are written here, unless `created` says so. */
export function rawRecords(
  content: StoreContent,
  created: Readonly<Record<string, number>> = {},
): Map<string, RawRecord> {
  return new Map(
    Object.entries(content).map(([name, value], index) => {
      const path = `config/${name}`;
      const bytes = Buffer.from(typeof value === 'string' ? value : JSON.stringify(value));
      const revision = BigInt(Object.hasOwn(created, name) ? (created[name] ?? 0) : index + 1);
      return [path, { path, bytes, created: revision, modified: revision }];
    }),
  );
}

export function decoded(
  content: StoreContent,
  options: {
    readonly created?: Readonly<Record<string, number>>;
    readonly previous?: ReadonlyMap<string, RawRecord>;
  } = {},
): DecodeOutcome {
  return decoder.decode(rawRecords(content, options.created), options.previous ?? new Map());
}

/** As `decoded`, for content that must be right. */
export function recordSet(content: StoreContent, created: Readonly<Record<string, number>> = {}): RecordSet {
  const outcome = decoded(content, { created });
  if (outcome.problems.length > 0) throw new Error(JSON.stringify(outcome.problems));
  return outcome.records;
}

export interface Built {
  readonly desired: Desired;
  readonly problems: readonly Problem[];
}

export function build(
  content: StoreContent,
  options: {
    readonly agent?: string;
    readonly previous?: Desired | null;
    readonly created?: Readonly<Record<string, number>>;
    readonly revision?: string;
  } = {},
): Built {
  const records = recordSet(content, options.created);
  return desiredState(records, options.agent ?? 'lb1', options.previous ?? null, options.revision ?? 'sha256:test');
}

/** As `build`, for content without any problem. */
export function desiredOf(content: StoreContent, revision = 'sha256:test'): Desired {
  const { desired, problems } = build(content, { revision });
  if (problems.length > 0) throw new Error(JSON.stringify(problems));
  return desired;
}

export function serviceIn(desired: Desired, name: string): DesiredService {
  const service = named(desired.services, name);
  if (service === undefined) throw new Error(`there is no service ${name}`);
  return service;
}

export function realIn(desired: Desired, service: string, name: string): DesiredReal {
  const real = named(serviceIn(desired, service).reals, name);
  if (real === undefined) throw new Error(`there is no real ${service}/${name}`);
  return real;
}

/** The creation revisions that `rawRecords` gives to the records of `content` when they stand alone. */
export function creationOf(content: StoreContent): Record<string, number> {
  return Object.fromEntries(Object.keys(content).map((name, index) => [name, index + 1]));
}

/** A small sound configuration: one VIP, one service on port 80, reals a, b and c of weight 10 with one check. */
export const SHOP: StoreContent = {
  'vips/shop': { addresses: ['192.0.2.10'], interface: 'lo' },
  'checks/ok': { type: 'tcp' },
  'services/web': { vip: 'shop', match: { ports: ['80'] }, checks: ['ok'] },
  'services/web/reals/a': { address: '10.0.0.1', weight: 10 },
  'services/web/reals/b': { address: '10.0.0.2', weight: 10 },
  'services/web/reals/c': { address: '10.0.0.3', weight: 10 },
};
