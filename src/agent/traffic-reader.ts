import type { Clock, Log } from '../core/ports.ts';
import type { ServiceMatch } from '../ipvs/dataplane.ts';
import type { KernelDriver } from './kernel-driver.ts';
import type { Picture } from './kernel-report.ts';
import type { PassView } from './reconciler.ts';
import type { TrafficLedger } from './traffic-ledger.ts';

interface TrafficReaderDeps {
  readonly kernel: KernelDriver;
  readonly view: () => PassView | null;
  readonly ledger: TrafficLedger;
  readonly clock: Clock;
  readonly log: Log;
}

/** Counters that are younger than this are fresh: the kernel's own estimators look no more often. */
const FRESH_MS = 2_000;
/** Whoever asks waits so long for fresh counters, and gets those that there are. */
const PATIENCE_MS = 2_000;
/** Destinations that are read at one go; between two of them a pass of the reconciler may come. */
const PIECE_DESTINATIONS = 500;

/**
 * Reads the counters of everything that is ours when somebody wants to see them, and only then: the kernel is read as
 * a whole only now and then. Readings come in pieces between the passes, and are shared by all who ask.
 */
export class TrafficReader {
  readonly #deps: TrafficReaderDeps;
  #reading: Promise<void> | null = null;
  #readAt = -Infinity;
  #noted: number | null = null;
  /** Wall-clock milliseconds; null = never. */
  #countedAt: number | null = null;

  constructor(deps: TrafficReaderDeps) {
    this.#deps = deps;
  }

  /** Wall-clock milliseconds at which the counters were read; null = never. */
  countedAt(): number | null {
    return this.#countedAt;
  }

  /** Enters what a reading of the whole kernel has found, if there was one. Called after every pass. */
  noteReading(): void {
    const { lastRead } = this.#deps.kernel.report();
    if (lastRead === null || lastRead === this.#noted) return;
    this.#noted = lastRead;
    this.#enter(lastRead);
  }

  /** Sees to it that the counters are fresh. Never fails: where they cannot be read, their age tells. */
  async fresh(): Promise<void> {
    const { clock } = this.#deps;
    if (clock.monotonic() - this.#readAt < FRESH_MS) return;
    this.#reading ??= this.#read().finally(() => (this.#reading = null));
    await within(PATIENCE_MS, this.#reading, clock);
  }

  async #read(): Promise<void> {
    const { kernel, view, clock, log } = this.#deps;
    const picture = kernel.picture();
    const pass = view();
    if (picture === null || pass === null) return;
    const keys = new Set([...pass.effective.kernel.keys(), ...kernel.report().leaving.map(({ key }) => key)]);
    const services = [...keys].flatMap((key) => picture.services.get(key) ?? []);
    for (const piece of pieces(services)) {
      const read = await kernel.sample(piece);
      if (read.ok) continue;
      log.debug({ error: read.error.message }, 'counters could not be read');
      return;
    }
    this.#readAt = clock.monotonic();
    this.#enter(clock.now());
  }

  #enter(at: number): void {
    const { kernel, view, ledger } = this.#deps;
    const pass = view();
    const picture = kernel.picture();
    if (pass === null || picture === null) return;
    ledger.take(pass.effective, kernel.report().leaving, picture.services);
    this.#countedAt = at;
  }
}

type Held = Picture['services'] extends ReadonlyMap<string, infer T> ? T : never;

function* pieces(services: readonly Held[]): Generator<ServiceMatch[]> {
  let piece: ServiceMatch[] = [];
  let size = 0;
  for (const { service, destinations } of services) {
    piece.push(service.match);
    size += 1 + destinations.size;
    if (size < PIECE_DESTINATIONS) continue;
    yield piece;
    piece = [];
    size = 0;
  }
  if (piece.length > 0) yield piece;
}

async function within(ms: number, work: Promise<void>, clock: Clock): Promise<void> {
  await new Promise<void>((resolve) => {
    const cancel = clock.after(ms, resolve);
    void work.finally(() => {
      cancel();
      resolve();
    });
  });
}
