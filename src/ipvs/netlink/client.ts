import { ByteWriter, DecodeError } from '../../core/bytes.ts';
import { asCodedError, CodedError } from '../../core/errors.ts';
import type { Cancel, Clock } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import {
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_DUMP_INTR,
  NLM_F_REQUEST,
  NLMSG_DONE,
  NLMSG_ERROR,
  NLMSG_NOOP,
  NLMSG_OVERRUN,
} from './constants.ts';
import { KernelRefusal } from '../kernel-refusal.ts';
import type { DumpSink } from './dump-sink.ts';
import { errnoMeaning, errnoName } from './errno.ts';
import { readAcknowledgement, readDone, readMessages, writeMessage } from './message.ts';
import type { Acknowledgement, NetlinkMessage, NetlinkRequest } from './message.ts';
import type { NetlinkTransport, OpenTransport, TransportEvents } from './transport.ts';

export interface ClientLimits {
  /**
   * Messages in one datagram at most. The kernel works on a datagram without a pause while our event loop waits. Where
   * the receive buffer is too small for as many answers, which all lie in it at once, there are fewer.
   */
  readonly batchMessages: number;
  /** Silence after which the replies that are still missing count as lost, in milliseconds. */
  readonly replyTimeoutMs: number;
  /** A dump that a change overtook (NLM_F_DUMP_INTR) is read again at most so often. */
  readonly dumpAttempts: number;
  /** Entries of one dump. */
  readonly dumpEntries: number;
  /** Exchanges that may wait for their turn. */
  readonly queuedExchanges: number;
}

export const CLIENT_LIMITS: ClientLimits = {
  batchMessages: 64,
  replyTimeoutMs: 5_000,
  dumpAttempts: 5,
  dumpEntries: 1_000_000,
  queuedExchanges: 64,
};

/**
 * What the answer to one request takes of the receive buffer (skb->truesize): the error with the kernel's words, the
 * kernel's own structures behind it, and the next power of two, as memory is handed out (netlink_ack in
 * net/netlink/af_netlink.c).
 */
const ANSWER_BYTES = 1_280;
/** Room for a usual batch; it grows if need be. */
const WRITER_BYTES = 16 * 1_024;
const SUCCESS: Acknowledgement = { errno: 0, text: null };

/** What went over the socket so far. */
export interface ClientCounters {
  readonly datagrams: number;
  /** Requests, dumps among them. */
  readonly messages: number;
  readonly dumps: number;
  readonly interruptedDumps: number;
  readonly refused: number;
  /** How often replies were lost and the socket was opened anew. */
  readonly lost: number;
}

/** The answers to a series of requests: as many as were answered, in order; `lost` says why there are no more. */
export interface Exchange {
  readonly answers: readonly Acknowledgement[];
  readonly lost: CodedError | null;
}

/** What waits for the messages of the current datagram or dump. */
interface Waiter {
  /** @returns whether there is nothing else to be done with that datagram */
  onDatagram(datagram: Uint8Array): boolean;
  /** @throws DecodeError */
  onMessage(message: NetlinkMessage): void;
  onLost(error: CodedError): void;
}

/**
 * Requests and dumps over one netlink socket, one exchange at a time. Answers are matched by sequence number, so a
 * late answer to something that was given up is never taken for another's. When answers are lost, the socket is
 * replaced before the next exchange; what then holds in the kernel, only reading can tell.
 */
export class NetlinkClient {
  readonly #open: OpenTransport;
  readonly #clock: Clock;
  readonly #limits: ClientLimits;
  readonly #counters = { datagrams: 0, messages: 0, dumps: 0, interruptedDumps: 0, refused: 0, lost: 0 };
  /** One exchange at a time, so one memory for all of them. */
  readonly #writer = new ByteWriter(WRITER_BYTES);
  #transport: NetlinkTransport | undefined;
  #sequence = 0;
  #waiter: Waiter | undefined;
  #turn: Promise<unknown> = Promise.resolve();
  #queued = 0;
  #closed = false;

  constructor(deps: { readonly open: OpenTransport; readonly clock: Clock; readonly limits?: Partial<ClientLimits> }) {
    this.#open = deps.open;
    this.#clock = deps.clock;
    this.#limits = { ...CLIENT_LIMITS, ...deps.limits };
  }

  get counters(): ClientCounters {
    return { ...this.#counters };
  }

  /** Requests in one datagram at most. */
  get batchMessages(): number {
    return this.#limits.batchMessages;
  }

  /**
   * Sends the requests in order, in batches, each with an answer of its own. A refusal does not stop the rest. Other
   * work of this process gets its turn between two batches.
   */
  async request(requests: readonly NetlinkRequest[]): Promise<Exchange> {
    return this.#inTurn(
      async () => {
        const answers: Acknowledgement[] = [];
        for (let at = 0; at < requests.length;) {
          const batch = requests.slice(at, at + this.#batchSize());
          at += batch.length;
          const lost = await this.#batch(batch, answers);
          if (lost !== null) return { answers, lost };
        }
        return { answers, lost: null };
      },
      (lost) => ({ answers: [], lost }),
    );
  }

  /** One request whose answer is a message, not only an acknowledgement. */
  async get<T>(request: NetlinkRequest, decode: (message: NetlinkMessage) => T): Promise<Result<T | null, CodedError>> {
    return this.#inTurn(async () => {
      const entries: T[] = [];
      const answers: Acknowledgement[] = [];
      const lost = await this.#batch([request], answers, (message) => void entries.push(decode(message)));
      if (lost !== null) return err(lost);
      const refusal = answers.find((answer) => answer.errno !== 0);
      return refusal === undefined ? ok(entries[0] ?? null) : err(refusalOf(refusal));
    }, err);
  }

  /** Reads a whole table. The entries are those of one uninterrupted pass. */
  async dump<T>(request: NetlinkRequest, decode: (message: NetlinkMessage) => T): Promise<Result<T[], CodedError>> {
    const entries: T[] = [];
    const sink: DumpSink = {
      take: (message, index) => {
        entries[index] = decode(message);
      },
    };
    const end = await this.dumpInto(request, sink);
    return end.ok ? ok(entries.slice(0, end.value)) : end;
  }

  /** The same for who takes entries as they come. @returns how many there were in the last pass, the one that counts */
  async dumpInto(request: NetlinkRequest, sink: DumpSink): Promise<Result<number, CodedError>> {
    return this.#inTurn(async () => {
      for (let attempt = 1; attempt <= this.#limits.dumpAttempts; attempt++) {
        const pass = await this.#dumpOnce(request, sink);
        if (!pass.ok) return pass;
        if (!pass.value.interrupted) return ok(pass.value.entries);
        this.#counters.interruptedDumps++;
      }
      const text = `the table changed under each of ${this.#limits.dumpAttempts} readings`;
      return err(new CodedError('NETLINK_LOST', text, { transient: true }));
    }, err);
  }

  async close(): Promise<void> {
    this.#closed = true;
    const transport = this.#transport;
    this.#transport = undefined;
    transport?.close();
    this.#waiter?.onLost(closedError());
    await this.#turn;
  }

  /** Runs exchanges one after another: replies of two must never mix on one socket. */
  async #inTurn<T>(exchange: () => Promise<T>, failed: (error: CodedError) => T): Promise<T> {
    if (this.#queued >= this.#limits.queuedExchanges) {
      return failed(new CodedError('NETLINK_UNAVAILABLE', 'too many exchanges wait for the netlink socket'));
    }
    this.#queued++;
    const mine = this.#turn.then(exchange).catch((error: unknown) => failed(asCodedError(error)));
    this.#turn = mine;
    try {
      return await mine;
    } finally {
      this.#queued--;
    }
  }

  /** As many messages as the receive buffer has room for the answers to, within the limit. */
  #batchSize(): number {
    const transport = this.#connected();
    const room = transport.ok ? Math.floor(transport.value.receiveBufferBytes / ANSWER_BYTES) : Infinity;
    return Math.max(1, Math.min(this.#limits.batchMessages, room));
  }

  /**
   * The kernel takes the messages of a datagram in order and always answers what it refuses; only the last is asked to
   * be acknowledged as well, so that its answer says that all have been handled (netlink_rcv_skb in
   * net/netlink/af_netlink.c). Answers that do not fit the receive buffer break the socket, so none is missed.
   */
  async #batch(
    requests: readonly NetlinkRequest[],
    answers: Acknowledgement[],
    onReply: (message: NetlinkMessage) => void = () => undefined,
  ): Promise<CodedError | null> {
    const writer = this.#writer.clear();
    const first = this.#sequence + 1;
    const last = requests.length - 1;
    for (const [index, request] of requests.entries()) {
      writeMessage(writer, request, NLM_F_REQUEST | (index === last ? NLM_F_ACK : 0), this.#nextSequence());
    }
    const known = answers.length;
    return this.#exchange(writer.written(), requests.length, (message) => {
      const index = (message.sequence - first) >>> 0;
      if (index > last) return 'more';
      if (message.type !== NLMSG_ERROR) {
        onReply(message);
        return 'more';
      }
      const answer = readAcknowledgement(message);
      if (answer.errno !== 0) this.#counters.refused++;
      if (answers.length > known + index) throw new DecodeError('an answer out of its order', 0);
      // Nothing was said about those before it: they succeeded.
      while (answers.length < known + index) answers.push(SUCCESS);
      answers.push(answer);
      return index === last ? 'done' : 'more';
    });
  }

  async #dumpOnce(
    request: NetlinkRequest,
    sink: DumpSink,
  ): Promise<Result<{ entries: number; interrupted: boolean }, CodedError>> {
    const sequence = this.#nextSequence();
    const writer = this.#writer.clear();
    writeMessage(writer, request, NLM_F_REQUEST | NLM_F_DUMP, sequence);
    this.#counters.dumps++;
    let entries = 0;
    let interrupted = false;
    let end = SUCCESS;
    const takeKnown = (datagram: Uint8Array): boolean => {
      const known = sink.takeKnown?.(datagram, sequence, entries) ?? 0;
      entries += known;
      return known > 0;
    };
    const consume = (message: NetlinkMessage): 'more' | 'done' => {
      if (message.sequence !== sequence) return 'more';
      if ((message.flags & NLM_F_DUMP_INTR) !== 0) interrupted = true;
      if (message.type === NLMSG_ERROR || message.type === NLMSG_DONE) {
        end = message.type === NLMSG_DONE ? readDone(message) : readAcknowledgement(message);
        return 'done';
      }
      if (entries >= this.#limits.dumpEntries) {
        throw new DecodeError(`a dump of more than ${this.#limits.dumpEntries} entries`, 0);
      }
      sink.take(message, entries++);
      return 'more';
    };
    const lost = await this.#exchange(writer.written(), 1, consume, takeKnown);
    if (lost !== null) return err(lost);
    if (end.errno !== 0) {
      this.#counters.refused++;
      return err(refusalOf(end));
    }
    return ok({ entries, interrupted });
  }

  /**
   * Sends one datagram and feeds `consume` until it says 'done'.
   * @param takeKnown whether a datagram is known, and nothing in it is for `consume`
   * @returns why the rest of the answers is lost
   */
  async #exchange(
    datagram: Uint8Array,
    messages: number,
    consume: (message: NetlinkMessage) => 'more' | 'done',
    takeKnown: (datagram: Uint8Array) => boolean = () => false,
  ): Promise<CodedError | null> {
    const transport = this.#connected();
    if (!transport.ok) return transport.error;
    const lost = await new Promise<CodedError | null>((resolve) => {
      let cancel: Cancel = () => undefined;
      let heard = false;
      const finish = (error: CodedError | null): void => {
        cancel();
        this.#waiter = undefined;
        resolve(error);
      };
      // Looks now and then whether anything came, which is cheaper than a fresh timer for each message.
      const watch = (): void => {
        cancel = this.#clock.after(this.#limits.replyTimeoutMs, () => {
          if (!heard) finish(lostError(`the kernel did not answer within ${this.#limits.replyTimeoutMs} ms`));
          else {
            heard = false;
            watch();
          }
        });
      };
      this.#waiter = {
        onDatagram: (received) => {
          const known = takeKnown(received);
          if (known) heard = true;
          return known;
        },
        onMessage: (message) => {
          heard = true;
          if (consume(message) === 'done') finish(null);
        },
        onLost: finish,
      };
      watch();
      this.#counters.datagrams++;
      this.#counters.messages += messages;
      transport.value.send(datagram);
    });
    if (lost !== null) this.#discardTransport();
    return lost;
  }

  #connected(): Result<NetlinkTransport, CodedError> {
    if (this.#closed) return err(closedError());
    if (this.#transport !== undefined) return ok(this.#transport);
    const events: TransportEvents = {
      onDatagram: (datagram) => {
        this.#receive(datagram);
        return this.#waiter !== undefined;
      },
      onFailure: (error) => {
        // A transport may break while nothing is under way; the next exchange then opens another.
        this.#discardTransport();
        this.#waiter?.onLost(error);
      },
    };
    const opened = this.#open(events);
    if (opened.ok) this.#transport = opened.value;
    return opened;
  }

  #receive(datagram: Uint8Array): void {
    try {
      if (this.#waiter?.onDatagram(datagram) === true) return;
      for (const message of readMessages(datagram)) {
        if (message.type === NLMSG_NOOP) continue;
        if (message.type === NLMSG_OVERRUN) throw new DecodeError('data was lost (NLMSG_OVERRUN)', 0);
        this.#waiter?.onMessage(message);
      }
    } catch (error) {
      const code = error instanceof DecodeError ? 'NETLINK_MALFORMED' : 'INTERNAL';
      this.#waiter?.onLost(asCodedError(error, code));
    }
  }

  #discardTransport(): void {
    const transport = this.#transport;
    if (transport === undefined) return;
    this.#transport = undefined;
    this.#counters.lost++;
    transport.close();
  }

  #nextSequence(): number {
    this.#sequence = (this.#sequence + 1) >>> 0;
    return this.#sequence;
  }
}

function refusalOf(answer: Acknowledgement): KernelRefusal {
  const name = errnoName(answer.errno);
  return new KernelRefusal(name, `${name}: ${answer.text ?? errnoMeaning(name)}`);
}

function lostError(text: string): CodedError {
  return new CodedError('NETLINK_LOST', text, { transient: true });
}

function closedError(): CodedError {
  return lostError('the netlink socket was closed');
}
