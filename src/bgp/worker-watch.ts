import type { Cancel, Clock } from '../core/ports.ts';

const ASK_MS = 2_000;
/** Silent for so many questions: shorter than the usual hold time, longer than any work that the thread has to do. */
const SILENT_QUESTIONS = 3;

/** Asks a thread again and again whether it still turns, and says so, once, when it has not answered for long. */
export class WorkerWatch {
  readonly #clock: Clock;
  readonly #ask: () => void;
  readonly #onHung: () => void;
  #unanswered = 0;
  #cancel: Cancel = () => undefined;

  constructor(clock: Clock, ask: () => void, onHung: () => void) {
    this.#clock = clock;
    this.#ask = ask;
    this.#onHung = onHung;
  }

  /** A new thread. */
  start(): void {
    this.stop();
    this.#unanswered = 0;
    this.#arm();
  }

  /** It said something, whatever it was. */
  heard(): void {
    this.#unanswered = 0;
  }

  stop(): void {
    this.#cancel();
  }

  #arm(): void {
    // Counted by questions and not by time: if it was our own thread that stood still, its answer is read first.
    this.#cancel = this.#clock.after(ASK_MS, () => {
      if (this.#unanswered >= SILENT_QUESTIONS) {
        this.#onHung();
        return;
      }
      this.#unanswered++;
      this.#ask();
      this.#arm();
    });
  }
}
