import { Socket, isIP } from 'node:net';
import type { Cancel, Clock } from '../core/ports.ts';
import type { IpAddress } from '../model/address.ts';
import type { ProbeOutcome } from './outcome.ts';
import { outcomeOfError } from './outcome.ts';
import type { TrustStore } from './trust.ts';
import type { OpenZnodes } from './znodes.ts';

export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

/** An address as it stands in front of a port. (Not from model/address: that loads a library for 8 MB in each thread.) */
export function hostText(address: IpAddress): string {
  return isIP(address) === 6 ? `[${address}]` : address;
}

export function endpointText({ address, port }: Endpoint): string {
  return `${hostText(address)}:${port}`;
}

/**
 * Opens a connection. Not by `connect` of node:net: a socket that is made with options survives every collection of the
 * young generation (Node 20), and ten thousand reals fill the old one with a megabyte of dead sockets every second.
 */
export function connectTo({ address, port }: Endpoint): Socket {
  return new Socket().connect({ host: address, port });
}

/** What probes need from where they run. */
export interface ProbeContext {
  readonly clock: Clock;
  readonly trust: TrustStore;
  readonly znodes: OpenZnodes;
}

export interface Prober {
  /** Carries out one probe. Never rejects for anything that the real or the network does. */
  (endpoint: Endpoint, context: ProbeContext): Promise<ProbeOutcome>;
  /**
   * For a check that keeps something of an endpoint between its probes: called before the first of them, with the very
   * object that they are given.
   * @returns what lets go of it; called when no further probe will start
   */
  readonly hold?: (endpoint: Endpoint, context: ProbeContext) => () => void;
}

/**
 * One probe under way: exactly one outcome, a deadline over all of it, and a release of whatever it holds. The first
 * outcome wins; everything later is ignored.
 */
export class Attempt {
  readonly #clock: Clock;
  readonly #endpoint: string;
  readonly #startedAt: number;
  readonly #timeoutMs: number;
  readonly #resolve: (outcome: ProbeOutcome) => void;
  readonly #cancelDeadline: Cancel;
  #release: (() => void) | undefined;
  #phase = 'while connecting';
  #finished = false;

  constructor(clock: Clock, endpoint: Endpoint, timeoutMs: number, resolve: (outcome: ProbeOutcome) => void) {
    this.#clock = clock;
    this.#endpoint = endpointText(endpoint);
    this.#timeoutMs = timeoutMs;
    this.#resolve = resolve;
    this.#startedAt = clock.monotonic();
    this.#cancelDeadline = clock.after(timeoutMs, () => this.#expire());
  }

  /** What to let go of at the end; called once, at once if the attempt has ended already. */
  holds(release: () => void): void {
    if (this.#finished) release();
    else this.#release = release;
  }

  /** What the probe does from now on, in words that follow an error ("during the TLS handshake"). */
  enter(phase: string): void {
    this.#phase = phase;
  }

  succeed(cause: string): void {
    this.#finish({ kind: 'success', cause, latencyMs: this.#elapsed() });
  }

  /** The real answered, and the answer is no. */
  reject(cause: string): void {
    this.#finish({ kind: 'failure', cause, latencyMs: this.#elapsed(), proof: 'answer' });
  }

  /** We could not ask. */
  abandon(cause: string): void {
    this.#finish({ kind: 'notRun', cause });
  }

  fail(error: Error): void {
    this.#finish(outcomeOfError(error, this.#endpoint, this.#phase, this.#elapsed()));
  }

  #elapsed(): number {
    return this.#clock.monotonic() - this.#startedAt;
  }

  #expire(): void {
    // Timers run before sockets are polled: what arrived while the loop was busy still has one turn to be heard.
    setImmediate(() => {
      const cause = `no answer from ${this.#endpoint} within ${this.#timeoutMs} ms, ${this.#phase}`;
      this.#finish({ kind: 'failure', cause, latencyMs: this.#elapsed(), proof: 'absence' });
    });
  }

  #finish(outcome: ProbeOutcome): void {
    if (this.#finished) return;
    this.#finished = true;
    this.#cancelDeadline();
    this.#release?.();
    this.#resolve(outcome);
  }
}
