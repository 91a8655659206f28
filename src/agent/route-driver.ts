import type { PeerStatus, Route, Speaker, SpeakerSettings } from '../bgp/port.ts';
import type { Log } from '../core/ports.ts';
import type { BgpOutcome } from './policy/bgp-settings.ts';

interface RouteDriverDeps {
  readonly speaker: Speaker;
  readonly log: Log;
}

/** A withdrawal that has not left by then is taken as sent: a dead peer must not hold up the dataplane. */
const FLUSH_TIMEOUT_MS = 1_000;

/** Tells the speaker what to announce, in the order that the safety rules want: withdrawals first, news last. */
export class RouteDriver {
  readonly #deps: RouteDriverDeps;
  #settingsText = 'never configured';
  #failures: readonly string[] = [];
  #announced: readonly Route[] = [];
  #announcedText = '[]';

  constructor(deps: RouteDriverDeps) {
    this.#deps = deps;
  }

  /** What cannot be done as it is wanted, for the status page. */
  failures(): readonly string[] {
    return [
      ...this.#failures,
      ...this.peers().flatMap(({ name, problems }) => problems.map((p) => `peer ${name}: ${p}`)),
    ];
  }

  peers(): readonly PeerStatus[] {
    return this.#deps.speaker.peers();
  }

  announced(): readonly Route[] {
    return this.#announced;
  }

  configure(outcome: BgpOutcome): void {
    const changedFailures = outcome.failures.filter((failure) => !this.#failures.includes(failure));
    for (const failure of changedFailures) this.#deps.log.error({ failure }, 'part of the BGP settings cannot be used');
    this.#failures = outcome.failures;
    const text = textOf(outcome.settings);
    if (text === this.#settingsText) return;
    this.#settingsText = text;
    this.#deps.speaker.configure(outcome.settings);
  }

  /** Withdraws what is not in `wanted`, and waits until that has left. What stays keeps its attributes for now. */
  async withdrawExcept(wanted: readonly Route[]): Promise<void> {
    const addresses = new Set(wanted.map(({ address }) => address));
    const staying = this.#announced.filter(({ address }) => addresses.has(address));
    if (staying.length === this.#announced.length) return;
    const gone = this.#announced.filter(({ address }) => !addresses.has(address)).map(({ address }) => address);
    this.#deps.log.info({ gone }, 'withdrawing routes');
    const { flushed } = await this.#set(staying);
    if (!flushed) this.#deps.log.warn({ gone }, 'not every peer took the withdrawal in time; going on');
  }

  /** Announces exactly these. */
  async announce(routes: readonly Route[]): Promise<void> {
    if (JSON.stringify(routes) === this.#announcedText) return;
    const before = new Set(this.#announced.map(({ address }) => address));
    const added = routes.filter(({ address }) => !before.has(address)).map(({ address }) => address);
    if (added.length > 0) this.#deps.log.info({ added }, 'announcing routes');
    await this.#set(routes);
  }

  releaseEndOfRib(): void {
    this.#deps.speaker.releaseEndOfRib();
  }

  async #set(routes: readonly Route[]): Promise<{ readonly flushed: boolean }> {
    this.#announced = routes;
    this.#announcedText = JSON.stringify(routes);
    return this.#deps.speaker.setRoutes(routes, FLUSH_TIMEOUT_MS);
  }
}

function textOf(settings: SpeakerSettings | null): string {
  return JSON.stringify(settings);
}
