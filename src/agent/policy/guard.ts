import type { RecordSet } from '../../model/record-set.ts';
import type { Desired } from './desired-state.ts';
import { named } from './desired-state.ts';
import { changed, excess, slid, windowFrom } from './guard-window.ts';
import type { GuardWindow } from './guard-window.ts';
import type { Loss } from './losses.ts';
import { idOf, losses, retain } from './losses.ts';

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

export interface GuardInput {
  /** What is in force; null at the very first start. */
  readonly accepted: Desired | null;
  readonly candidate: Desired;
  readonly rootExists: boolean;
  /** See `isEmpty`. */
  readonly empty: boolean;
  /** See `approvalsOf`. */
  readonly approvals: ReadonlyMap<string, string>;
  /** null at the very first start. */
  readonly window: GuardWindow | null;
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
 * Decides what of a new configuration takes effect. Adds, edits and drains always do. Losses do as long as, of what was
 * in force at any moment of the sliding window, no more is gone than the limits allow; beyond, all losses of the
 * revision are held: what would be lost stays as it was, until the revision is approved or the losses are taken back.
 * What comes back within the window gives its part of the limit back. A tree without root, without records, without
 * the settings that this agent had, or without those that it announces with, is held as a whole.
 *
 * While there is no root and nothing is in force, the caller waits and does not ask.
 */
export function guard(input: GuardInput): GuardOutcome {
  const { accepted, candidate, now } = input;
  if (accepted === null) return { accepted: candidate, hold: null, window: windowFrom(candidate, now) };
  const { limits } = accepted.agent;
  const window = slid(withoutGoneApprovals(input, accepted), limits.windowMs, now);
  const lost = losses(accepted, candidate);
  const gone = goneSettings(accepted, candidate);
  const whole = wholeReason(input, accepted, gone);
  const letThrough = (): GuardOutcome => ({
    accepted: candidate,
    hold: null,
    window: changed(window, accepted, candidate, lost, now),
  });
  if (whole === null && lost.length === 0 && (gone.length === 0 || input.settled)) return letThrough();
  const kept = whole === null ? retain(accepted, candidate, lost) : accepted;
  const agent = gone.length === 0 ? kept.agent : accepted.agent;
  // Limits that came with losses wait with them: the next look would judge those by what they brought along.
  const inForce = { ...kept, agent: { ...agent, limits }, revision: accepted.revision };
  const keep = (hold: Hold | null): GuardOutcome => ({
    accepted: inForce,
    hold,
    window: changed(window, accepted, inForce, [], now),
  });
  if (!input.settled) return keep(input.hold);
  // By the limits of before: a change must not widen the limits that it is judged by.
  const why = whole ?? excess(window, lost, limits);
  if (why === null) return letThrough();
  const approval = input.approvals.get(candidate.revision);
  const used = named(window.usedApprovals, candidate.revision);
  if (approval === undefined || approval === used) return keep(holdOf(input, lost, why, used !== undefined));
  // What was approved does not count against the next change.
  const usedApprovals = { ...window.usedApprovals, [candidate.revision]: approval };
  return { accepted: candidate, hold: null, window: windowFrom(candidate, now, usedApprovals) };
}

/** An approval that was deleted may be made again, and then works again. */
function withoutGoneApprovals({ window, approvals, now }: GuardInput, accepted: Desired): GuardWindow {
  const known = window ?? windowFrom(accepted, now);
  const used = Object.entries(known.usedApprovals).filter(([revision]) => approvals.has(revision));
  return { ...known, usedApprovals: Object.fromEntries(used) };
}

/** Records that this agent's settings were merged from and that are no longer there. */
export function goneSettings(accepted: Desired, candidate: Desired): readonly string[] {
  return accepted.agent.sources.filter((path) => !candidate.agent.sources.includes(path));
}

function wholeReason(
  { candidate, rootExists, empty }: GuardInput,
  accepted: Desired,
  gone: readonly string[],
): string | null {
  const hadSomething = Object.keys(accepted.services).length > 0 || accepted.agent.sources.length > 0;
  if (!hadSomething) return null;
  if (!rootExists) return 'the root of the store is gone';
  if (empty) return 'the store was emptied: not one record is left';
  if (gone.length === 0) return null;
  if (candidate.agent.sources.length === 0) return `the settings of this agent are gone (${gone.join(', ')})`;
  // Every route of this agent would go with its sessions, while not one service is lost.
  const silent = accepted.agent.bgp !== null && candidate.agent.bgp === null;
  return silent ? `the settings that this agent announces with are gone (${gone.join(', ')})` : null;
}

function holdOf({ candidate, hold, now }: GuardInput, lost: readonly Loss[], why: string, usedUp: boolean): Hold {
  const names = lost.slice(0, MAX_NAMED).map((loss) => `${loss.kind} ${idOf(loss)}`);
  const hint = usedUp ? `${why} (the approval of this revision has been used before; a new one is needed)` : why;
  return { revision: candidate.revision, why: hint, since: hold?.since ?? now, lost: names, lostCount: lost.length };
}
