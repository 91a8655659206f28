import type { Clock } from '../../core/ports.ts';

/** Nobody sets a jute.maxbuffer as small as this; a connection that breaks at smaller requests broke for another reason. */
const SMALLEST_SUSPECT = 4 * 1024;
/** Servers may be restarted with a larger buffer, and two accidents in a row are possible: then we try once more. */
const FORGET_AFTER_MS = 600_000;

/**
 * What a server takes in one request. On more than its jute.maxbuffer it hangs up without a word, so where a
 * connection breaks right at a large request, that is a hint; when the next try ends in the same way, such requests
 * are not sent any more. All lengths are those of the packet behind its length prefix, as the server counts them.
 */
export class RequestLimit {
  readonly #configured: number;
  readonly #clock: Pick<Clock, 'monotonic'>;
  /** The largest request that was answered over this connection. */
  #taken = 0;
  #suspect: number | null = null;
  #cut: { readonly bytes: number; readonly at: number } | null = null;

  /** @param configured what the servers are said to take */
  constructor(configured: number, clock: Pick<Clock, 'monotonic'>) {
    this.#configured = configured;
    this.#clock = clock;
  }

  /** A length at which a connection broke, and which may yet turn out to be too large. */
  get suspect(): number | null {
    return this.#suspect;
  }

  /** Whether the servers may take less than they are said to. */
  get isDoubtful(): boolean {
    return this.#suspect !== null || this.#cut !== null;
  }

  /** Why a request of this length is not to be sent; null when it may be. */
  excess(bytes: number): string | null {
    if (bytes > this.#configured) return `the request has ${bytes} bytes, the server takes ${this.#configured}`;
    if (this.#cut !== null && this.#clock.monotonic() - this.#cut.at >= FORGET_AFTER_MS) this.#cut = null;
    if (this.#cut === null || bytes < this.#cut.bytes) return null;
    return (
      `the request has ${bytes} bytes, and servers have hung up on ${this.#cut.bytes} twice in a row: their ` +
      'jute.maxbuffer seems to be smaller; raise it on every server, or write less at once'
    );
  }

  /** A request of this length was answered. */
  took(bytes: number): void {
    this.#taken = Math.max(this.#taken, bytes);
    if (this.#suspect !== null && bytes >= this.#suspect) this.#suspect = null;
  }

  /** A new connection: another server, perhaps. */
  begin(): void {
    this.#taken = 0;
  }

  /**
   * The server ended the connection; `largest` of the requests that it had not answered, 0 for none.
   * @returns what it may have been about, null when lengths had nothing to do with it
   */
  hungUp(largest: number): string | null {
    if (largest <= this.#taken || largest < SMALLEST_SUSPECT) return null;
    const before = this.#suspect;
    if (before === null) {
      this.#suspect = largest;
    } else {
      // Only what was tried is known to be too large; the smaller of two different ones has been tried once.
      this.#cut = { bytes: Math.max(before, largest), at: this.#clock.monotonic() };
      this.#suspect = before === largest ? null : Math.min(before, largest);
    }
    return `a request of ${largest} bytes was under way, which may be more than its jute.maxbuffer`;
  }
}
