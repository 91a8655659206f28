import { serviceKeyOf } from '../dataplane.ts';
import type { ServiceKey } from '../dataplane.ts';
import { command } from './layout.ts';
import type { Chain, Layout } from './layout.ts';
import type { ListedChain, Listing } from './listing.ts';
import { KEPT_PREFIX, parseRealName, parseServiceName, REAL_PREFIX, SERVICE_PREFIX, TABLE } from './names.ts';

/** One command for nft(8); commands of one run are one transaction. */
export interface Line {
  readonly text: string;
  /** Whose fault it is if the kernel refuses it; null = nobody's in particular. */
  readonly owner: ServiceKey | null;
}

/**
 * What makes the table that is listed into the one that is wanted. What is the same already is not mentioned, so that
 * counters of turns and clients that stay with a real are left alone; nothing at all is left where nothing is wanted.
 * @param listing null = there is no such table
 */
export function transaction(listing: Listing | null, layout: Layout): Line[] {
  if (layout.counters.size === 0) return listing === null ? [] : [{ text: `delete table ${TABLE}`, owner: null }];
  const there: Listing = listing ?? { chains: new Map(), counters: new Map(), sets: new Set() };
  const lines: Line[] = [];
  const say = (owner: ServiceKey | null, text: string): void => void lines.push({ text, owner });
  if (listing === null) say(null, `add table ${TABLE}`);
  const gone = [...there.chains.keys()].filter((name) => isOurs(name) && !layout.chains.has(name));
  const rewritten = new Map([...layout.chains].filter(([name, chain]) => !sameChain(there.chains.get(name), chain)));

  for (const [name, owner] of layout.counters) {
    if (!there.counters.has(name)) say(owner, command('add', 'counter', name));
  }
  for (const [name, { text, owner, closedBy }] of layout.sets) {
    if (!there.sets.has(name)) say(owner, command('add', 'set', `${name} ${text}`));
    else if (closedBy !== null && rewritten.has(closedBy)) say(owner, command('flush', 'set', name));
  }
  // Every chain first, since rules name chains that come later.
  for (const [name, { hook, owner }] of layout.chains) {
    const listed = there.chains.get(name);
    if (listed !== undefined && listed.hook !== hook) say(owner, command('delete', 'chain', name));
    if (listed?.hook !== hook) say(owner, command('add', 'chain', hook === null ? name : `${name} { ${hook} }`));
  }
  for (const [name, { owner, rules }] of rewritten) {
    if ((there.chains.get(name)?.rules.length ?? 0) > 0) say(owner, command('flush', 'chain', name));
    for (const rule of rules) say(owner, command('add', 'rule', `${name} ${rule}`));
  }
  // A chain can go when no rule leads to it any more.
  for (const name of gone) say(ownerOf(name), command('flush', 'chain', name));
  for (const name of gone) say(ownerOf(name), command('delete', 'chain', name));
  for (const name of there.sets) {
    if (name.startsWith(KEPT_PREFIX) && !layout.sets.has(name)) say(null, command('delete', 'set', name));
  }
  for (const name of there.counters.keys()) {
    if (isOurs(name) && !layout.counters.has(name)) say(ownerOf(name), command('delete', 'counter', name));
  }
  return lines;
}

function isOurs(name: string): boolean {
  return name.startsWith(SERVICE_PREFIX) || name.startsWith(REAL_PREFIX);
}

/** The service that a chain or counter was made for. */
function ownerOf(name: string): ServiceKey | null {
  const match = parseServiceName(name) ?? parseRealName(name)?.match ?? null;
  return match === null ? null : serviceKeyOf(match);
}

function sameChain(actual: ListedChain | undefined, wanted: Chain): boolean {
  if (actual === undefined || actual.hook !== wanted.hook) return false;
  return actual.rules.length === wanted.rules.length && actual.rules.every((rule, at) => rule === wanted.rules[at]);
}
