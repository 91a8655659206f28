import { ChangeLog } from './change-log.ts';
import { canonicalJson, probePort } from './definition.ts';
import type { CheckDefinition, Verdict, VerdictChanges, WantedCheck } from './port.ts';
import type { JudgeSpec, Seed, ToShard } from './protocol.ts';
import { BATCH_LIMIT } from './protocol.ts';
import { firstVerdict } from './verdict.ts';

/** One wanted check as the runner keeps it. */
export interface Entry {
  readonly id: number;
  readonly key: string;
  readonly check: WantedCheck;
  readonly port: number;
  readonly shard: number;
  readonly probe: ProbeGroup;
  verdict: Verdict;
  /** A result counted at least once. */
  judged: boolean;
  /** Has a verdict other than its first unknown, or has finished one probe. */
  settled: boolean;
}

/** All entries that share one probe: the same address, port and definition. */
interface ProbeGroup {
  readonly id: number;
  readonly identity: string;
  readonly definition: DefinitionUse;
  readonly entries: Set<Entry>;
}

interface DefinitionUse {
  readonly id: number;
  readonly text: string;
  readonly definition: CheckDefinition;
  probes: number;
}

/** What changed, in the order in which shards must be told. */
export interface WantedChange {
  readonly defined: readonly DefinitionUse[];
  readonly added: readonly Entry[];
  readonly dropped: readonly Entry[];
  readonly unused: readonly DefinitionUse[];
}

/** The wanted checks and their newest verdicts. Finds out what a new wanted set changes; sends nothing itself. */
export class WantedSet {
  readonly #shards: number;
  readonly #entries = new Map<string, Entry>();
  readonly #byId = new Map<number, Entry>();
  readonly #verdicts = new Map<string, Verdict>();
  readonly #changes = new ChangeLog();
  readonly #probes = new Map<string, ProbeGroup>();
  readonly #definitions = new Map<string, DefinitionUse>();
  readonly #texts = new WeakMap<CheckDefinition, string>();
  #nextId = 1;
  #unsettled = 0;

  constructor(shards: number) {
    this.#shards = shards;
  }

  get verdicts(): ReadonlyMap<string, Verdict> {
    return this.#verdicts;
  }

  changes(since: number | null): VerdictChanges {
    return { mark: this.#changes.mark, keys: since === null ? null : this.#changes.since(since) };
  }

  get settled(): boolean {
    return this.#unsettled === 0;
  }

  replace(
    checks: readonly WantedCheck[],
    restored: ReadonlyMap<string, Verdict> | undefined,
    now: number,
  ): WantedChange {
    const wanted = new Map(checks.map((check) => [check.key, check]));
    const defined: DefinitionUse[] = [];
    const added: Entry[] = [];
    const dropped: Entry[] = [];
    for (const entry of this.#entries.values()) if (!wanted.has(entry.key)) dropped.push(entry);
    for (const check of wanted.values()) {
      const before = this.#entries.get(check.key);
      const identity = this.#identityOf(check);
      if (before !== undefined) {
        if (before.probe.identity === identity && sameThresholds(before.check, check)) continue;
        dropped.push(before);
      }
      added.push(
        this.#insert(check, identity, before === undefined ? restored?.get(check.key) : undefined, now, defined),
      );
    }
    // Removed last, so that new entries find what was known about their targets.
    const unused: DefinitionUse[] = [];
    for (const entry of dropped) this.#remove(entry, unused);
    return { defined, added, dropped, unused };
  }

  /** @returns whether somebody should look again: the state is another one, or the first result is in */
  update(id: number, verdict: Verdict): boolean {
    const entry = this.#byId.get(id);
    if (entry === undefined) return false;
    if (verdict.state !== 'unknown') entry.judged = true;
    const stateChanged = verdict.state !== entry.verdict.state;
    this.#put(entry, verdict);
    return this.#settle(entry) || stateChanged;
  }

  /** Every verdict of a shard becomes unknown. @returns whether one of them was not */
  doubt(shard: number, cause: string, now: number): boolean {
    let changed = false;
    for (const entry of this.#entries.values()) {
      if (entry.shard !== shard || entry.verdict.state === 'unknown') continue;
      this.#put(entry, { ...entry.verdict, state: 'unknown', since: now, cause });
      changed = true;
    }
    return changed;
  }

  #put(entry: Entry, verdict: Verdict): void {
    if (!saysTheSame(entry.verdict, verdict)) this.#changes.note(entry.key);
    entry.verdict = verdict;
    this.#verdicts.set(entry.key, verdict);
  }

  /** What a new shard must be told to go on where the last one was. */
  *replay(shard: number): Generator<ToShard> {
    for (const { id, definition } of this.#definitions.values()) yield { kind: 'define', id, definition };
    const entries = [...this.#entries.values()].filter((entry) => entry.shard === shard);
    yield* addMessages(entries);
  }

  #identityOf({ target }: WantedCheck): string {
    const { definition, address } = target;
    // The definition's number stands for its text, which ten thousand targets would repeat.
    return `${this.#definitionOf(definition).id}|${address}|${probePort(definition, target.port)}`;
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
    const use: DefinitionUse = { id: this.#nextId++, text, definition, probes: 0 };
    this.#definitions.set(text, use);
    return use;
  }

  #insert(
    check: WantedCheck,
    identity: string,
    restored: Verdict | undefined,
    now: number,
    defined: DefinitionUse[],
  ): Entry {
    const { key, target } = check;
    const probe = this.#probes.get(identity) ?? this.#newProbe(identity, target.definition, defined);
    // New thresholds on a known target start from what is known, and not from nothing.
    const sibling = [...probe.entries].find((entry) => entry.judged);
    const port = probePort(target.definition, target.port);
    const entry: Entry = {
      id: this.#nextId++,
      key,
      check,
      port,
      shard: shardOf(`${target.address}|${port}`, this.#shards),
      probe,
      verdict: restored ?? sibling?.verdict ?? firstVerdict(now),
      judged: restored === undefined ? sibling !== undefined : restored.state !== 'unknown',
      settled: false,
    };
    probe.entries.add(entry);
    this.#entries.set(key, entry);
    this.#byId.set(entry.id, entry);
    this.#verdicts.set(key, entry.verdict);
    this.#changes.note(key);
    this.#unsettled++;
    this.#settle(entry);
    return entry;
  }

  #newProbe(identity: string, definition: CheckDefinition, defined: DefinitionUse[]): ProbeGroup {
    const use = this.#definitionOf(definition);
    if (use.probes === 0) defined.push(use);
    use.probes++;
    const group: ProbeGroup = { id: this.#nextId++, identity, definition: use, entries: new Set() };
    this.#probes.set(identity, group);
    return group;
  }

  #remove(entry: Entry, unused: DefinitionUse[]): void {
    const { key, id, probe } = entry;
    this.#byId.delete(id);
    if (!entry.settled) this.#unsettled--;
    // The key may have passed to a newer entry by now.
    if (this.#entries.get(key) === entry) {
      this.#entries.delete(key);
      this.#verdicts.delete(key);
      this.#changes.note(key);
    }
    probe.entries.delete(entry);
    if (probe.entries.size > 0) return;
    this.#probes.delete(probe.identity);
    const { definition } = probe;
    definition.probes--;
    if (definition.probes > 0) return;
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

function judgeSpec({ id, check, port, probe, verdict, judged }: Entry): JudgeSpec {
  const { address } = check.target;
  const seed: Seed | null = verdict.at === null && verdict.state === 'unknown' ? null : { ...verdict, judged };
  return {
    id,
    probe: probe.id,
    definition: probe.definition.id,
    address,
    port,
    rise: check.rise,
    fall: check.fall,
    seed,
  };
}

/** Whether nothing but the figures of the last probe is new: a quiet real is told of again and again. */
function saysTheSame(a: Verdict, b: Verdict): boolean {
  return a.state === b.state && a.since === b.since && a.cause === b.cause;
}

function sameThresholds(a: WantedCheck, b: WantedCheck): boolean {
  return a.rise === b.rise && a.fall === b.fall;
}

/** FNV-1a, 32 bits: spreads neighbouring addresses evenly. */
function shardOf(text: string, shards: number): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193);
  return (hash >>> 0) % shards;
}
