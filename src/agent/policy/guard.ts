import type { RecordSet } from '../../model/record-set.ts';
import type { DeleteLimits, Desired, Named } from './desired-state.ts';
import { named } from './desired-state.ts';
import type { Loss } from './losses.ts';
import { losses, retain, targetOf } from './losses.ts';

export { losses } from './losses.ts';

/** A change that waits for an approval of exactly this revision, or to be taken back. */
export interface Hold {
  readonly revision: string;
  readonly why: string;
  /** Wall-clock milliseconds; stays while one hold follows another without a break. */
  readonly since: number;
  /** "service web", "real web/a": at most `MAX_NAMED` of them. */
  readonly lost: readonly string[];
  readonly lostCount: number;
}

const MAX_NAMED = 200;

/** What the guard remembers. Plain data: the last-known-good file keeps it, so a restart forgives nothing. */
export interface GuardWindow {
  /** Losses that were let through and have not come back, oldest first. */
  readonly losses: readonly (Loss & { readonly at: number })[];
  /** How much was in force since when, oldest first; the first may be older than the window. */
  readonly sizes: readonly Size[];
  /** Approvals that have released something, with the creation revision of the record: each works once. */
  readonly usedApprovals: Named<string>;
}

interface Size {
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly services: number;
  readonly reals: number;
}

export const emptyWindow: GuardWindow = { losses: [], sizes: [], usedApprovals: {} };

const MAX_SIZES = 600;

export interface GuardInput {
  /** What is in force; null at the very first start. */
  readonly accepted: Desired | null;
  readonly candidate: Desired;
  readonly rootExists: boolean;
  /** See `isEmpty`. */
  readonly empty: boolean;
  /** See `approvalsOf`. */
  readonly approvals: ReadonlyMap<string, string>;
  readonly window: GuardWindow;
  readonly hold: Hold | null;
  /** False: the store is still changing, so losses are neither let through nor held against anybody yet. */
  readonly settled: boolean;
  /** Wall-clock milliseconds. */
  readonly now: number;
}

export interface GuardOutcome {
  /** What is to be in force. Under a hold its revision stays that of the last set that was accepted as a whole. */
  readonly accepted: Desired;
  readonly hold: Hold | null;
  readonly window: GuardWindow;
}

/** Not one record is left that says what to do: the tree was emptied. */
export function isEmpty(records: RecordSet): boolean {
  const { vips, services, reals, checks, agents } = records;
  return [vips, services, reals, checks, agents].every(({ size }) => size === 0);
}

/** Approved revisions, each with the creation revision of the record that approves it. */
export function approvalsOf(records: RecordSet): ReadonlyMap<string, string> {
  return new Map([...records.approvals].map(([revision, { created }]) => [revision, created.toString()]));
}

/**
 * Decides what of a new configuration takes effect. Adds, edits and drains always do. Losses do as long as those of
 * the sliding window together are within the limits in force before; beyond, all losses of the revision are held:
 * what would be lost stays as it was, until the revision is approved or the losses are taken back. What comes back
 * within the window gives its part of the limit back. A tree without root, without records or without the settings
 * that this agent had is held as a whole.
 *
 * While there is no root and nothing is in force, the caller waits and does not ask.
 */
export function guard(input: GuardInput): GuardOutcome {
  const { accepted, candidate, now } = input;
  if (accepted === null) {
    return { accepted: candidate, hold: null, window: { ...emptyWindow, sizes: [sizeOf(candidate, now)] } };
  }
  const window = pruned(input, accepted);
  const lost = losses(accepted, candidate);
  const whole = wholeReason(input, accepted);
  if (whole === null && lost.length === 0) return letThrough(candidate, lost, window, now);
  const kept = whole === null ? retain(accepted, candidate, lost) : accepted;
  const inForce = { ...kept, revision: accepted.revision };
  const keep = (hold: Hold | null): GuardOutcome => ({
    accepted: inForce,
    hold,
    window: withSize(window, sizeOf(inForce, now)),
  });
  if (!input.settled) return keep(input.hold);
  // By the limits of before: a change must not widen the limits that it is judged by.
  const why = whole ?? excess(lost, window, accepted.agent.limits);
  if (why === null) return letThrough(candidate, lost, window, now);
  const approval = input.approvals.get(candidate.revision);
  const used = named(window.usedApprovals, candidate.revision);
  if (approval === undefined || approval === used) return keep(holdOf(input, lost, why, used !== undefined));
  // What was approved does not count against the next change.
  const usedApprovals = { ...window.usedApprovals, [candidate.revision]: approval };
  return { accepted: candidate, hold: null, window: { losses: [], sizes: [sizeOf(candidate, now)], usedApprovals } };
}

function letThrough(candidate: Desired, lost: readonly Loss[], window: GuardWindow, now: number): GuardOutcome {
  const all = [...window.losses, ...lost.map((loss) => ({ ...loss, at: now }))];
  const outstanding = all.filter((loss) => !isBack(loss, candidate));
  const next = { ...window, losses: outstanding };
  return { accepted: candidate, hold: null, window: withSize(next, sizeOf(candidate, now)) };
}

function wholeReason({ candidate, rootExists, empty }: GuardInput, accepted: Desired): string | null {
  const hadSomething = Object.keys(accepted.services).length > 0 || accepted.agent.sources.length > 0;
  if (!hadSomething) return null;
  if (!rootExists) return 'the root of the store is gone';
  if (empty) return 'the store was emptied: not one record is left';
  if (accepted.agent.sources.length > 0 && candidate.agent.sources.length === 0) {
    return `the settings of this agent are gone (${accepted.agent.sources.join(', ')})`;
  }
  return null;
}

/** What the losses exceed, in words; null = nothing. */
function excess(lost: readonly Loss[], window: GuardWindow, limits: DeleteLimits): string | null {
  const { maxDeleteCount, maxDeleteShare } = limits;
  // What the window begins with, as `pruned` leaves it.
  const size = window.sizes[0] ?? { services: 0, reals: 0 };
  for (const kind of ['service', 'real'] as const) {
    const count = [...window.losses, ...lost].filter((loss) => loss.kind === kind).length;
    const total = kind === 'service' ? size.services : size.reals;
    if (count <= maxDeleteCount || count <= maxDeleteShare * total || maxDeleteShare >= 1) continue;
    const minutes = Math.round(limits.windowMs / 6_000) / 10;
    const share = `${Math.round(maxDeleteShare * 1_000) / 10} %`;
    return (
      `${count} ${kind}s would be lost within ${minutes} min, of ${total} that there were; ` +
      `without approval it is at most ${maxDeleteCount}, or ${share}`
    );
  }
  return null;
}

function holdOf({ candidate, hold, now }: GuardInput, lost: readonly Loss[], why: string, usedUp: boolean): Hold {
  const names = lost.slice(0, MAX_NAMED).map(describeLoss);
  const hint = usedUp ? `${why} (the approval of this revision has been used before; a new one is needed)` : why;
  return { revision: candidate.revision, why: hint, since: hold?.since ?? now, lost: names, lostCount: lost.length };
}

function describeLoss({ service, real }: Loss): string {
  return real === null ? `service ${service}` : `real ${service}/${real}`;
}

/** The window without what has slid out of it, but with the size that was in force when it began; a clock that was set back ages nothing. */
function pruned({ window, approvals, now }: GuardInput, accepted: Desired): GuardWindow {
  const start = now - accepted.agent.limits.windowMs;
  const clamped = <T extends { readonly at: number }>(entry: T): T => (entry.at > now ? { ...entry, at: now } : entry);
  const sizes = window.sizes.map(clamped);
  const firstInside = sizes.findIndex(({ at }) => at > start);
  const from = firstInside < 0 ? sizes.length - 1 : firstInside - 1;
  const kept = sizes.slice(Math.max(from, 0));
  return {
    losses: window.losses.map(clamped).filter(({ at }) => at > start),
    sizes: kept.length > 0 ? kept : [sizeOf(accepted, now)],
    usedApprovals: Object.fromEntries(
      Object.entries(window.usedApprovals).filter(([revision]) => approvals.has(revision)),
    ),
  };
}

function sizeOf(desired: Desired, at: number): Size {
  const services = Object.values(desired.services);
  const reals = services.reduce((count, service) => count + Object.keys(service.reals).length, 0);
  return { at, services: services.length, reals };
}

/** Adds a size if it is news. Of too many, the two oldest become one, the smaller: that can only make the guard stricter. */
function withSize(window: GuardWindow, size: Size): GuardWindow {
  const last = window.sizes.at(-1);
  if (last !== undefined && last.services === size.services && last.reals === size.reals) return window;
  const [first, second, ...rest] = [...window.sizes, size];
  if (second === undefined || rest.length + 2 <= MAX_SIZES) {
    return { ...window, sizes: [...window.sizes, size] };
  }
  const merged = {
    at: first.at,
    services: Math.min(first.services, second.services),
    reals: Math.min(first.reals, second.reals),
  };
  return { ...window, sizes: [merged, ...rest] };
}

function isBack(loss: Loss, desired: Desired): boolean {
  const service = named(desired.services, loss.service);
  if (service === undefined || loss.real === null) return service !== undefined;
  if (Object.hasOwn(service.reals, loss.real)) return true;
  return Object.values(service.reals).some((real) => targetOf(real) === loss.target);
}
