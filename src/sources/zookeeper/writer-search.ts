import type { Backoff } from '../../core/backoff.ts';
import type { Cancel, Clock } from '../../core/ports.ts';
import type { Destination } from '../server-names.ts';
import type { Dial } from './transport.ts';

/**
 * The one four-letter word that every server answers, whatever its whitelist says
 * (org.apache.zookeeper.server.command.FourLetterCommands).
 */
const QUESTION = new TextEncoder().encode('srvr');
/** A server that has lost its ensemble says "Mode: read-only", and one that looks for a leader says no mode at all. */
const CAN_WRITE = /^Mode: (?:leader|follower|observer|standalone)$/m;
const MAX_ANSWER_BYTES = 4_096;

export interface WriterSearchDeps {
  readonly dial: Dial;
  readonly clock: Clock;
  /** Between two rounds. */
  readonly backoff: Backoff;
  /** For each server, from the first SYN to the end of its answer. */
  readonly patienceMs: number;
}

/**
 * Looks for a server that belongs to an ensemble while we are at one that has lost it: asks them one after another, in
 * rounds that come ever more rarely.
 */
export class WriterSearch {
  readonly #deps: WriterSearchDeps;
  readonly #onFound: (server: number) => void;
  #stopAsking: Cancel = () => undefined;

  /** @param onFound takes the place of the server in the list that `start` got */
  constructor(deps: WriterSearchDeps, onFound: (server: number) => void) {
    this.#deps = deps;
    this.#onFound = onFound;
  }

  start(servers: readonly Destination[]): void {
    this.stop();
    this.#deps.backoff.reset();
    this.#roundLater(servers);
  }

  stop(): void {
    this.#stopAsking();
    this.#stopAsking = () => undefined;
  }

  #roundLater(servers: readonly Destination[]): void {
    this.#stopAsking = this.#deps.clock.after(this.#deps.backoff.next(), () => this.#askFrom(0, servers));
  }

  #askFrom(index: number, servers: readonly Destination[]): void {
    const server = servers[index];
    if (server === undefined) this.#roundLater(servers);
    else {
      this.#ask(server, (canWrite) => {
        if (canWrite) this.#onFound(index);
        else this.#askFrom(index + 1, servers);
      });
    }
  }

  #ask(server: Destination, then: (canWrite: boolean) => void): void {
    let answer = '';
    const end = (): void => {
      this.stop();
      then(CAN_WRITE.test(answer));
    };
    const transport = this.#deps.dial(server, {
      onOpen: () => transport.write(QUESTION),
      onData: (chunk) => {
        answer += new TextDecoder().decode(chunk);
        if (answer.length > MAX_ANSWER_BYTES) end();
      },
      onClose: end,
    });
    const cancel = this.#deps.clock.after(this.#deps.patienceMs, end);
    this.#stopAsking = () => {
      cancel();
      transport.destroy();
    };
  }
}
