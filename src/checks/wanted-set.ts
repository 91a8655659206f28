import { canonicalJson } from '../core/canonical-json.ts';
import { joinedKey } from '../core/joined-key.ts';
import { SharedTexts } from '../core/shared-texts.ts';
import { ChangeLog } from './change-log.ts';
import { probePort } from './definition.ts';
import type { CheckDefinition, Verdict, VerdictChanges, Verdicts, VerdictState, WantedCheck } from './port.ts';
import type { JudgeSpec, Seed, ToShard } from './protocol.ts';
import { BATCH_LIMIT } from './protocol.ts';
import { firstVerdict } from './verdict.ts';

/** One wanted check as the runner keeps it. */
export interface Entry {
  readonly id: number;
  readonly probe: ProbeGroup;
  check: WantedCheck;
  verdict: KeptVerdict;
  /** A result counted at least once. */
  judged: boolean;
  /** Has a verdict other than its first unknown, or has finished one probe. */
  settled: boolean;
}

/** The figures of the last probe are entered in place. */
interface KeptVerdict extends Verdict {
  latencyMs: number | null;
  at: number | null;
}

/** All entries that share one probe: the same address, port and definition. */
interface ProbeGroup {
  readonly id: number;
  readonly definition: DefinitionUse;
  readonly port: number;
  readonly shard: number;
  entries: readonly Entry[];
}

interface DefinitionUse {
  readonly id: number;
  readonly text: string;
  readonly definition: CheckDefinition;
  /** By where they go, "10.0.0.1|80". */
  readonly probes: Map<string, ProbeGroup>;
}

/** What changed, in the order in which shards must be told. */
export interface WantedChange {
  readonly defined: readonly DefinitionUse[];
  readonly added: readonly Entry[];
  readonly dropped: readonly Entry[];
  readonly unused: readonly DefinitionUse[];
}

/** The wanted checks and their newest verdicts. Finds out what a new wanted set changes; sends nothing itself. */
export class WantedSet implements Verdicts {
  readonly #shards: number;
  readonly #entries = new Map<string, Entry>();
  readonly #byId = new Map<number, Entry>();
  readonly #changes = new ChangeLog();
  readonly #definitions = new Map<string, DefinitionUse>();
  readonly #texts = new WeakMap<CheckDefinition, string>();
  readonly #causes = new SharedTexts();
  #nextId = 1;
  #unsettled = 0;

  constructor(shards: number) {
    this.#shards = shards;
  }

  get(key: string): Verdict | undefined {
    return this.#entries.get(key)?.verdict;
  }

  *[Symbol.iterator](): Generator<[string, Verdict]> {
    for (const [key, { verdict }] of this.#entries) yield [key, verdict];
  }

  changes(since: number | null): VerdictChanges {
    return this.#changes.changes(since);
  }

  get settled(): boolean {
    return this.#unsettled === 0;
  }

  replace(checks: readonly WantedCheck[], restored: Verdicts | undefined, now: number): WantedChange {
    const wanted = new Map(checks.map((check) => [check.key, check]));
    const defined: DefinitionUse[] = [];
    const added: Entry[] = [];
    const dropped: Entry[] = [];
    for (const [key, entry] of this.#entries) if (!wanted.has(key)) dropped.push(entry);
    for (const check of wanted.values()) {
      const before = this.#entries.get(check.key);
      if (before !== undefined) {
        if (this.#isSame(before, check)) {
          before.check = check;
          continue;
        }
        dropped.push(before);
      }
      added.push(this.#insert(check, before === undefined ? restored?.get(check.key) : undefined, now, defined));
    }
    // Removed last, so that new entries find what was known about their targets.
    const unused: DefinitionUse[] = [];
    for (const entry of dropped) this.#remove(entry, unused);
    return { defined, added, dropped, unused };
  }

  /** @returns whether somebody should look again: the state is another one, or the first result is in */
  update(id: number, { state, since, cause, latencyMs, at }: Verdict): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined) return false;
    if (state !== 'unknown') entry.judged = true;
    const { verdict: before } = entry;
    // A quiet real is told of again and again, with nothing new but the figures of the last probe.
    if (before.state === state && before.since === since && before.cause === cause) {
      before.latencyMs = latencyMs;
      before.at = at;
    } else {
      // What comes from another thread is a copy, down to the texts.
      const verdict = { state: STATES[state], since, cause: this.#causes.of(cause), latencyMs, at };
      this.#set(entry, verdict);
    }
    return this.#settle(entry) || before.state !== state;
  }

  /** Every verdict of a shard becomes unknown. @returns whether one of them was not */
  doubt(shard: number, cause: string, now: number): boolean {
    let changed = false;
    for (const entry of this.#entries.values()) {
      if (entry.probe.shard !== shard || entry.verdict.state === 'unknown') continue;
      this.#set(entry, { ...entry.verdict, state: 'unknown', since: now, cause });
      changed = true;
    }
    return changed;
  }

  /** What a new shard must be told to go on where the last one was. */
  *replay(shard: number): Generator<ToShard> {
    for (const { id, definition } of this.#definitions.values()) yield { kind: 'define', id, definition };
    const entries = [...this.#entries.values()].filter((entry) => entry.probe.shard === shard);
    yield* addMessages(entries);
  }

  #set(entry: Entry, verdict: KeptVerdict): void {
    entry.verdict = verdict;
    this.#changes.note(entry.check.key);
  }

  #isSame({ check: before, probe }: Entry, check: WantedCheck): boolean {
    if (before.rise !== check.rise || before.fall !== check.fall) return false;
    return before === check || this.#definitionOf(check.target.definition).probes.get(endpointOf(check)) === probe;
  }

  #definitionOf(definition: CheckDefinition): DefinitionUse {
    let text = this.#texts.get(definition);
    if (text === undefined) {
      text = canonicalJson(definition);
      this.#texts.set(definition, text);
    }
    return this.#definitions.get(text) ?? this.#newDefinition(text, definition);
  }

  #newDefinition(text: string, definition: CheckDefinition): DefinitionUse {
    const use: DefinitionUse = { id: this.#nextId++, text, definition, probes: new Map() };
    this.#definitions.set(text, use);
    return use;
  }

  #insert(check: WantedCheck, restored: Verdict | undefined, now: number, defined: DefinitionUse[]): Entry {
    const endpoint = endpointOf(check);
    const use = this.#definitionOf(check.target.definition);
    const probe = use.probes.get(endpoint) ?? this.#newProbe(endpoint, check, use, defined);
    // New thresholds on a known target start from what is known, and not from nothing.
    const sibling = probe.entries.find((entry) => entry.judged);
    const entry: Entry = {
      id: this.#nextId++,
      check,
      probe,
      verdict: { ...(restored ?? sibling?.verdict ?? firstVerdict(now)) },
      judged: restored === undefined ? sibling !== undefined : restored.state !== 'unknown',
      settled: false,
    };
    probe.entries = probe.entries.concat(entry);
    this.#entries.set(check.key, entry);
    this.#byId.set(entry.id, entry);
    this.#changes.note(check.key);
    this.#unsettled++;
    this.#settle(entry);
    return entry;
  }

  #newProbe(
    endpoint: string,
    { target }: WantedCheck,
    definition: DefinitionUse,
    defined: DefinitionUse[],
  ): ProbeGroup {
    if (definition.probes.size === 0) defined.push(definition);
    const port = probePort(target.definition, target.port);
    const shard = shardOf(endpoint, this.#shards);
    const group: ProbeGroup = { id: this.#nextId++, definition, port, shard, entries: [] };
    definition.probes.set(endpoint, group);
    return group;
  }

  #remove(entry: Entry, unused: DefinitionUse[]): void {
    const { check, id, probe } = entry;
    this.#byId.delete(id);
    if (!entry.settled) this.#unsettled--;
    // The key may have passed to a newer entry by now.
    if (this.#entries.get(check.key) === entry) {
      this.#entries.delete(check.key);
      this.#changes.note(check.key);
    }
    probe.entries = probe.entries.filter((other) => other !== entry);
    if (probe.entries.length > 0) return;
    const { definition } = probe;
    definition.probes.delete(endpointOf(check));
    if (definition.probes.size > 0) return;
    this.#definitions.delete(definition.text);
    unused.push(definition);
  }

  /** @returns whether the entry is settled only now */
  #settle(entry: Entry): boolean {
    const { state, at } = entry.verdict;
    if (entry.settled || (state === 'unknown' && at === null)) return false;
    entry.settled = true;
    this.#unsettled--;
    return true;
  }
}

/** The messages that make a shard take these entries, each of bounded size. */
export function* addMessages(entries: readonly Entry[]): Generator<ToShard> {
  for (let at = 0; at < entries.length; at += BATCH_LIMIT) {
    yield { kind: 'add', judges: entries.slice(at, at + BATCH_LIMIT).map(judgeSpec) };
  }
}

function judgeSpec({ id, check, probe, verdict, judged }: Entry): JudgeSpec {
  const { address } = check.target;
  const seed: Seed | null = verdict.at === null && verdict.state === 'unknown' ? null : { ...verdict, judged };
  return {
    id,
    probe: probe.id,
    definition: probe.definition.id,
    address,
    port: probe.port,
    rise: check.rise,
    fall: check.fall,
    seed,
  };
}

/** Where the probe goes. */
function endpointOf({ target }: WantedCheck): string {
  return joinedKey(target.address, probePort(target.definition, target.port));
}

const STATES: { readonly [S in VerdictState]: S } = { up: 'up', down: 'down', unknown: 'unknown' };

/** FNV-1a, 32 bits, of which 31 make a small integer: spreads neighbouring addresses evenly. */
function shardOf(text: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash & 0x7fffffff) % shards;
}
