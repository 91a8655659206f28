import type { PeerStatus, Route, Speaker, SpeakerSettings, StopMode } from '../../src/bgp/port.ts';
import type { Unsubscribe } from '../../src/core/ports.ts';

/** A speaker whose peers are all established and take everything, and that writes down what it was told, in order. */
export class RecordingSpeaker implements Speaker {
  /** "routes 192.0.2.10", "flushed", "end of RIB", "stop". */
  readonly events: string[];
  readonly configured: (SpeakerSettings | null)[] = [];
  routes: readonly Route[] = [];
  /** Milliseconds that callers were ready to wait for each flush. */
  readonly patience: number[] = [];
  endOfRibReleased = false;
  stopped: StopMode | null = null;
  /** Problems of every peer. */
  problems: readonly string[] = [];
  readonly #listeners = new Set<() => void>();
  readonly #flushes: ((outcome: { readonly flushed: boolean }) => void)[] = [];
  #holding = false;

  constructor(events: string[] = []) {
    this.events = events;
  }

  configure(settings: SpeakerSettings | null): void {
    this.#mustLive();
    this.configured.push(settings);
    for (const poke of this.#listeners) poke();
  }

  get settings(): SpeakerSettings | null {
    return this.configured.at(-1) ?? null;
  }

  get announced(): string[] {
    return this.routes.map(({ address }) => address);
  }

  setRoutes(routes: readonly Route[], flushTimeoutMs: number): Promise<{ readonly flushed: boolean }> {
    this.#mustLive();
    this.routes = routes;
    this.patience.push(flushTimeoutMs);
    this.events.push(['routes', ...this.announced].join(' '));
    if (!this.#holding) {
      this.events.push('flushed');
      return Promise.resolve({ flushed: true });
    }
    return new Promise((resolve) => this.#flushes.push(resolve));
  }

  /** Peers' windows close: a flush takes until `letFlush`. */
  holdFlushes(): void {
    this.#holding = true;
  }

  letFlush(flushed = true): void {
    this.#holding = false;
    for (const resolve of this.#flushes.splice(0)) {
      this.events.push(flushed ? 'flushed' : 'not flushed');
      resolve({ flushed });
    }
  }

  releaseEndOfRib(): void {
    this.#mustLive();
    if (!this.endOfRibReleased) this.events.push('end of RIB');
    this.endOfRibReleased = true;
  }

  peers(): readonly PeerStatus[] {
    return (this.settings?.peers ?? []).map(({ name, address, asn, holdTimeMs }) => ({
      name,
      address,
      asn,
      state: 'established',
      since: 0,
      announced: this.routes.length,
      endOfRibSent: this.endOfRibReleased,
      lastError: null,
      holdTimeMs,
      flaps: 0,
      received: 0,
      problems: this.problems,
    }));
  }

  onChange(poke: () => void): Unsubscribe {
    this.#listeners.add(poke);
    return () => void this.#listeners.delete(poke);
  }

  stop(mode: StopMode): Promise<void> {
    this.stopped ??= mode;
    this.events.push(`speaker ${mode.kind}`);
    return Promise.resolve();
  }

  #mustLive(): void {
    if (this.stopped !== null) throw new Error('the speaker was used after its stop');
  }
}
