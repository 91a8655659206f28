import type { Cancel, Clock, Log } from '../core/ports.ts';
import type { Result } from '../core/result.ts';
import type { Problem } from '../model/problem.ts';
import { formatProblem } from '../model/problem.ts';

/** PEM texts that belong together. */
export interface ApiTlsMaterial {
  readonly certificate: string;
  readonly key: string;
  /** Authorities of the clients; null = nobody has to show a certificate. */
  readonly clientCa: string | null;
  /** Where the certificate is from. */
  readonly file: string;
  /** Of the certificate; milliseconds since the epoch. */
  readonly validUntil: number;
}

/** What is wrong with one of the files. */
export interface TlsFault {
  readonly field: string;
  readonly file: string;
  readonly found: string;
  readonly allowed: string;
}

/** Reads the files; while they are as they were it is the same object that comes back. */
export type LoadApiTls = () => Result<ApiTlsMaterial, readonly TlsFault[]>;

/** Others renew the files; a fault in them is noticed after this long at the latest. */
const LOOK_MS = 10_000;

/** For so many clients in a second they are looked at: with a large file of authorities it takes 0.3 ms each time. */
const MOST_LOOKS = 20;
const SECOND_MS = 1_000;

/** What the API shows to its clients: the newest certificate, key and authorities that were good together. */
export class ServedCertificate {
  readonly #load: LoadApiTls;
  readonly #clock: Clock;
  readonly #log: Log;
  readonly #listeners: (() => void)[] = [];
  #material: ApiTlsMaterial;
  #faults: readonly TlsFault[] = [];
  #reported = '';
  #cancel: Cancel | null = null;
  /** The second that is counted in, monotonic, and the clients in it. */
  #second = -Infinity;
  #clients = 0;

  /** @param first what `load` gave at the start */
  constructor(first: ApiTlsMaterial, deps: { readonly load: LoadApiTls; readonly clock: Clock; readonly log: Log }) {
    this.#material = first;
    this.#load = deps.load;
    this.#clock = deps.clock;
    this.#log = deps.log;
  }

  get material(): ApiTlsMaterial {
    return this.#material;
  }

  /** What should be mended, although there is a certificate that serves. */
  problems(): readonly Problem[] {
    const { file, validUntil } = this.#material;
    if (this.#faults.length > 0) {
      return this.#faults.map(({ file: path, field, found, allowed }) => {
        return { path, field, found, allowed, effect: 'last good version stays' };
      });
    }
    if (this.#clock.now() < validUntil) return [];
    const found = `a certificate that expired at ${new Date(validUntil).toISOString()}`;
    return [{ path: file, field: 'api.tls.certificate', found, allowed: 'a renewed one', effect: 'in force' }];
  }

  /** Called whenever `material` is another one. */
  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  /** From now on the files are looked at every ten seconds, and what is wrong with them is logged, once. */
  start(): void {
    this.#look();
    this.#report();
    this.#cancel = this.#clock.after(LOOK_MS, () => this.start());
  }

  stop(): void {
    this.#cancel?.();
  }

  /**
   * For a client: takes up files that were replaced, unless clients come in a flood. Nothing is logged of what is wrong
   * with them: of several files that are being replaced, some are new before the others.
   */
  refresh(): void {
    const now = this.#clock.monotonic();
    if (now - this.#second >= SECOND_MS) {
      this.#second = now;
      this.#clients = 0;
    }
    this.#clients += 1;
    if (this.#clients <= MOST_LOOKS) this.#look();
  }

  #look(): void {
    const loaded = this.#load();
    if (loaded.ok) this.#take(loaded.value);
    else this.#faults = loaded.error;
  }

  #report(): void {
    const problems = this.problems().map(formatProblem);
    const text = problems.join('; ');
    if (text !== '' && text !== this.#reported)
      this.#log.error({ problems }, 'the certificate of the API has problems');
    this.#reported = text;
  }

  #take(material: ApiTlsMaterial): void {
    this.#faults = [];
    if (material === this.#material) return;
    this.#material = material;
    const validUntil = new Date(material.validUntil).toISOString();
    this.#log.info({ file: material.file, validUntil }, 'the API has another certificate');
    for (const listener of this.#listeners) listener();
  }
}
