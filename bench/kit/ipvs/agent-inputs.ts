import { untouched } from '../../../src/agent/config-intake.ts';
import { desiredState } from '../../../src/agent/policy/desired.ts';
import type { Desired } from '../../../src/agent/policy/desired-state.ts';
import { shareStructure } from '../../../src/agent/policy/shared-structure.ts';
import { checkCatalog } from '../../../src/checks/decode.ts';
import { ChangeLog } from '../../../src/checks/change-log.ts';
import type { CheckRunner, Verdict, VerdictChanges, VerdictState, WantedCheck } from '../../../src/checks/port.ts';
import { RecordDecoder } from '../../../src/model/decode.ts';
import type { RawRecord } from '../../../src/model/record-set.ts';
import { fleet, realPath, realRecord, TEN_THOUSAND } from '../records.ts';

const OPTIONS = { ...TEN_THOUSAND, port: 8080, network: '10.1' };

/** Verdicts that are set by hand, up at first; nothing is probed. */
export class HeldVerdicts implements CheckRunner {
  readonly #verdicts = new Map<string, Verdict>();
  readonly #changes = new ChangeLog();
  readonly #pokes = new Set<() => void>();
  #wanted: readonly WantedCheck[] = [];

  setWanted(checks: readonly WantedCheck[]): void {
    this.#wanted = checks;
    for (const { key } of checks) if (!this.#verdicts.has(key)) this.#put(key, 'up');
  }

  verdicts(): ReadonlyMap<string, Verdict> {
    return this.#verdicts;
  }

  changes(since: number | null): VerdictChanges {
    return this.#changes.changes(since);
  }

  onChange(poke: () => void): () => void {
    this.#pokes.add(poke);
    return () => void this.#pokes.delete(poke);
  }

  settled(): boolean {
    return true;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** Another verdict on one real; whoever waits for verdicts is told. */
  turn(state: VerdictState, real: number): void {
    const one = this.#wanted[real % this.#wanted.length];
    if (one === undefined) throw new Error('nothing is checked');
    this.#put(one.key, state);
    for (const poke of this.#pokes) poke();
  }

  #put(key: string, state: VerdictState): void {
    this.#verdicts.set(key, verdict(state));
    this.#changes.note(key);
  }
}

function verdict(state: VerdictState): Verdict {
  return { state, since: Date.now(), cause: `it is ${state}`, latencyMs: 1, at: Date.now() };
}

/** The store's part: records are edited, decoded and understood as the intake does it. */
export class EditedStore {
  readonly #decoder = new RecordDecoder(checkCatalog);
  readonly #records = new Map<string, RawRecord>();
  #version = 0n;
  #good: ReadonlyMap<string, RawRecord> = new Map();
  #sound: ReadonlySet<string> = new Set();
  #desired: Desired;

  constructor() {
    for (const [path, text] of fleet(OPTIONS)) this.#put(path, text);
    this.#put('config/agents/_default', JSON.stringify({ dataplane: 'ipvs', labels: { pool: 'edge' } }));
    this.#desired = this.#understood(null);
  }

  get desired(): Desired {
    return this.#desired;
  }

  /** What is wanted once one real has another weight, each time another one of another service. */
  edited(count: number): Desired {
    const service = (count * 7) % OPTIONS.services;
    const real = (count * 13) % OPTIONS.reals;
    this.#put(realPath(service, real), JSON.stringify(realRecord(OPTIONS, service, real, 20 + (count % 53))));
    this.#desired = this.#understood(this.#desired);
    return this.#desired;
  }

  #understood(before: Desired | null): Desired {
    const { records, revision, good, touched } = this.#decoder.decode(this.#records, this.#good);
    const built = desiredState(records, 'lb1', before, revision, untouched(this.#sound, touched));
    this.#good = good;
    this.#sound = built.sound;
    return shareStructure(before, built.desired);
  }

  #put(path: string, text: string): void {
    this.#version++;
    this.#records.set(path, { path, bytes: Buffer.from(text), created: 1n, modified: this.#version });
  }
}
