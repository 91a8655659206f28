import type { DeleteLimits, Desired, Named } from './desired-state.ts';
import { named } from './desired-state.ts';
import type { Loss } from './losses.ts';
import { idOf, losses, targetOf } from './losses.ts';

/**
 * What the guard remembers of the time that its limits are about. Plain data: the last-known-good file keeps it, so a
 * restart forgives nothing. Changes of what is in force are numbered: their order does not depend on any clock.
 */
export interface GuardWindow {
  /** Losses that were let through and have not come back, oldest first. At is wall-clock milliseconds. */
  readonly losses: readonly (Loss & { readonly at: number })[];
  /** How much was in force after which change, oldest first; the first is what the window began with. Never empty. */
  readonly sizes: readonly Size[];
  /** When what came or went within the window was in force, by `idOf`. What is not listed is there from the start. */
  readonly stays: Named<readonly Stay[]>;
  /** Approvals that have released something, with the creation revision of the record: each works once. */
  readonly usedApprovals: Named<string>;
}

/** From the change that brought it to the one that took it away; null = it is in force. */
export type Stay = readonly [from: number, to: number | null];

export interface Size {
  /** Wall-clock milliseconds. */
  readonly at: number;
  readonly change: number;
  readonly services: number;
  readonly reals: number;
}

const MAX_SIZES = 600;
const MAX_STAYS = 16;
const FROM_THE_START: readonly Stay[] = [[0, null]];

/** A window that begins with what is in force now. */
export function windowFrom(inForce: Desired, now: number, usedApprovals: Named<string> = {}): GuardWindow {
  return { losses: [], sizes: [{ at: now, change: 0, ...sizeOf(inForce) }], stays: {}, usedApprovals };
}

/**
 * The window without what has slid out of it, but with the size that was in force when it began. A clock that was set
 * back ages nothing.
 */
export function slid(window: GuardWindow, windowMs: number, now: number): GuardWindow {
  const start = now - windowMs;
  const clamped = <T extends { readonly at: number }>(entry: T): T => (entry.at > now ? { ...entry, at: now } : entry);
  const sizes = window.sizes.map(clamped);
  const firstInside = sizes.findIndex(({ at }) => at > start);
  const kept = sizes.slice(Math.max(firstInside < 0 ? sizes.length - 1 : firstInside - 1, 0));
  const begin = kept[0]?.change ?? 0;
  return {
    ...window,
    losses: window.losses.map(clamped).filter(({ at }) => at > start),
    sizes: kept,
    stays: mapStays(Object.entries(window.stays), (all) => {
      const inside = all.filter(([, to]) => to === null || to > begin);
      return inside.every(([from, to]) => from <= begin && to === null) ? [] : inside;
    }),
  };
}

/** The window after another change: `before` was in force and `inForce` is now, without what was lost. */
export function changed(
  window: GuardWindow,
  before: Desired,
  inForce: Desired,
  lost: readonly Loss[],
  now: number,
): GuardWindow {
  // Seen from what is in force now, what came is what would be lost on the way back: a rename is no newcomer.
  const came = losses(inForce, before);
  if (came.length === 0 && lost.length === 0) return window;
  const change = (window.sizes.at(-1)?.change ?? 0) + 1;
  const past = [...window.losses, ...lost.map((loss) => ({ ...loss, at: now }))];
  const isReturned = (loss: Loss): boolean => isBack(loss, inForce);
  const stays = new Map(Object.entries(window.stays));
  for (const loss of lost) stays.set(idOf(loss), ended(stays.get(idOf(loss)) ?? FROM_THE_START, change));
  const former = new Map(past.filter(isReturned).flatMap((loss) => namesOf(loss).map((name) => [name, idOf(loss)])));
  for (const newcomer of came) {
    // What comes back has been here before, under whatever name: that must not make it a newcomer.
    const before = namesOf(newcomer).flatMap((name) => former.get(name) ?? [])[0];
    const known = before === undefined ? [] : (stays.get(before) ?? []);
    stays.set(idOf(newcomer), bounded([...known, [change, null]]));
  }
  const outstanding = past.filter((loss) => !isReturned(loss));
  const gone = new Set(outstanding.map(idOf));
  return {
    ...window,
    losses: outstanding,
    sizes: withSize(window.sizes, { at: now, change, ...sizeOf(inForce) }),
    stays: mapStays(stays, (all, id) => (gone.has(id) || isInForce(id, inForce) ? all : [])),
  };
}

/**
 * What further losses exceed, in words; null = nothing. The rule: of what was in force at any moment of the window, no
 * more may be gone now than the count, or the share of it. So newcomers do not widen the limit for what was there
 * before them, and are not held by the little that was there before them either.
 */
export function excess(window: GuardWindow, lost: readonly Loss[], limits: DeleteLimits): string | null {
  const { maxDeleteCount, maxDeleteShare, windowMs } = limits;
  if (maxDeleteShare >= 1) return null;
  for (const kind of ['service', 'real'] as const) {
    const gone = [...window.losses, ...lost].filter((loss) => loss.kind === kind);
    if (gone.length <= maxDeleteCount) continue;
    const stays = gone.map((loss) => named(window.stays, idOf(loss)) ?? FROM_THE_START);
    for (const [index, size] of window.sizes.entries()) {
      const until = window.sizes[index + 1]?.change ?? Infinity;
      const wasThere = ([from, to]: Stay): boolean => from < until && (to ?? Infinity) > size.change;
      const count = stays.filter((all) => all.some(wasThere)).length;
      const total = kind === 'service' ? size.services : size.reals;
      if (count <= maxDeleteCount || count <= maxDeleteShare * total) continue;
      const minutes = Math.round(windowMs / 6_000) / 10;
      const share = `${Math.round(maxDeleteShare * 1_000) / 10} %`;
      const what = `${count} of ${total} ${kind}${total === 1 ? '' : 's'}`;
      return `${what} would be lost within ${minutes} min; without approval it is at most ${maxDeleteCount}, or ${share}`;
    }
  }
  return null;
}

function mapStays(
  entries: Iterable<readonly [string, readonly Stay[]]>,
  change: (stays: readonly Stay[], id: string) => readonly Stay[],
): Named<readonly Stay[]> {
  const all = [...entries].map(([id, stays]) => [id, change(stays, id)] as const);
  return Object.fromEntries(all.filter(([, stays]) => stays.length > 0));
}

function ended(stays: readonly Stay[], change: number): readonly Stay[] {
  return stays.map(([from, to]) => [from, to ?? change]);
}

/** Of too many stays, the two oldest become one, and what was between them counts as a stay: that is stricter. */
function bounded(stays: readonly Stay[]): readonly Stay[] {
  if (stays.length <= MAX_STAYS) return stays;
  const [first, second, ...rest] = stays;
  return [[first?.[0] ?? 0, second?.[1] ?? null], ...rest];
}

/** By which it is known again: its own name, and its target in its service. */
function namesOf(loss: Loss): string[] {
  return loss.target === null ? [idOf(loss)] : [idOf(loss), `${loss.service} ${loss.target}`];
}

function sizeOf(desired: Desired): { readonly services: number; readonly reals: number } {
  const services = Object.values(desired.services);
  const reals = services.reduce((count, service) => count + Object.keys(service.reals).length, 0);
  return { services: services.length, reals };
}

/** Of too many sizes, the two oldest become one, the smaller, for the time of both: that can only be stricter. */
function withSize(sizes: readonly Size[], size: Size): readonly Size[] {
  const [first, second, ...rest] = sizes;
  if (first === undefined || second === undefined || sizes.length < MAX_SIZES) return [...sizes, size];
  const services = Math.min(first.services, second.services);
  return [{ ...first, services, reals: Math.min(first.reals, second.reals) }, ...rest, size];
}

function isBack(loss: Loss, desired: Desired): boolean {
  const service = named(desired.services, loss.service);
  if (service === undefined || loss.real === null) return service !== undefined;
  if (Object.hasOwn(service.reals, loss.real)) return true;
  return Object.values(service.reals).some((real) => targetOf(real) === loss.target);
}

/** @param id as `idOf` makes it; names hold no slash */
function isInForce(id: string, desired: Desired): boolean {
  const [name = '', real] = id.split('/');
  const service = named(desired.services, name);
  return service !== undefined && (real === undefined || Object.hasOwn(service.reals, real));
}
