import type { Cancel, Clock } from '../../core/ports.ts';

/** Lateness of a timer that shows that this process, and not the server, was held up. */
const LATE_MS = 100;
/** How long the event loop then gets to read what the server may have sent meanwhile. */
const GRACE_MS = 100;

/**
 * The deadline of a connection. One timer serves thousands of frames: hearing something only notes the time, and
 * the timer looks at that note when it falls due.
 */
export class SilenceTimer {
  readonly #clock: Clock;
  readonly #onSilence: () => void;
  #cancel: Cancel = () => undefined;
  #heardAt = 0;
  #limitMs = 0;

  constructor(clock: Clock, onSilence: () => void) {
    this.#clock = clock;
    this.#onSilence = onSilence;
  }

  /** `untilHeard`: everything heard moves the deadline on; otherwise it stands. */
  arm(limitMs: number, options: { readonly untilHeard: boolean }): void {
    this.#cancel();
    this.#limitMs = options.untilHeard ? limitMs : 0;
    this.#heardAt = this.#clock.monotonic();
    this.#wait(limitMs, false);
  }

  heard(): void {
    this.#heardAt = this.#clock.monotonic();
  }

  cancel(): void {
    this.#cancel();
  }

  #wait(ms: number, isGrace: boolean): void {
    const dueAt = this.#clock.monotonic() + ms;
    this.#cancel = this.#clock.after(ms, () => {
      const now = this.#clock.monotonic();
      const restMs = this.#limitMs - (now - this.#heardAt);
      if (this.#limitMs > 0 && restMs > 0) this.#wait(restMs, false);
      else if (!isGrace && now - dueAt > LATE_MS) this.#wait(GRACE_MS, true);
      else this.#onSilence();
    });
  }
}
