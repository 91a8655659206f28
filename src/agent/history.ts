import type { Clock, Log } from '../core/ports.ts';
import { newsOf } from './policy/news.ts';
import type { Decided, News } from './policy/news.ts';

export interface Event {
  /** Wall-clock milliseconds of the pass that decided so. */
  readonly at: number;
  readonly what: string;
  readonly why: string;
}

/** How many are remembered one by one. */
const REMEMBERED = 100;
/** How many of one pass the log spells out: when a whole network goes, ten thousand lines tell no more. */
const SPELLED_OUT = 50;

/** What was decided when, and why: in the log, and the last of it for the status. */
export class History {
  readonly #clock: Clock;
  readonly #log: Log;
  #before: Decided | null = null;
  #recent: readonly Event[] = [];

  constructor({ clock, log }: { readonly clock: Clock; readonly log: Log }) {
    this.#clock = clock;
    this.#log = log;
  }

  /** A pass is over. */
  note(decided: Decided): void {
    const news = newsOf(this.#before, decided);
    this.#before = decided;
    if (news.length === 0) return;
    // What is grave comes first, so that it is not what is left out.
    const spelled = [...news.filter(isGrave), ...news.filter((each) => !isGrave(each))].slice(0, SPELLED_OUT);
    for (const { what, why, grave } of spelled) this.#log[grave ? 'warn' : 'info']({ why }, what);
    const omitted = news.length - spelled.length;
    if (omitted > 0) this.#log.warn({ omitted }, 'more was decided in this pass: see the status');
    const at = this.#clock.now();
    const events = spelled.map(({ what, why }) => ({ at, what, why }));
    this.#recent = [...this.#recent, ...events].slice(-REMEMBERED);
  }

  /** The last ones, oldest first. */
  recent(): readonly Event[] {
    return this.#recent;
  }
}

function isGrave({ grave }: News): boolean {
  return grave;
}
