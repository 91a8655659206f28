import { randomUUID } from 'node:crypto';
import { rootCertificates } from 'node:tls';
import { Etcd3 } from 'etcd3';
import type {
  CallContext,
  IDuplexStream,
  ILeaseKeepAliveRequest,
  ILeaseKeepAliveResponse,
  IOptions,
  IRangeRequest,
  IRangeResponse,
  ITxnRequest,
  ITxnResponse,
  IWatchRequest,
  IWatchResponse,
} from 'etcd3';
import { CodedError, describeError } from '../../core/errors.ts';
import type { Log } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { TlsMaterial } from '../credentials.ts';
import type { Destination } from '../server-names.ts';
import { etcdError } from './errors.ts';
import { sendGrpcLogTo } from './grpc-log.ts';
import { REQUEST_TIMEOUT_MS } from './limits.ts';
import { formatEndpoint, parseUser } from './settings.ts';
import type { Endpoint, EtcdSettings, EtcdUser } from './settings.ts';
import { giveUp } from './streams.ts';
import { Token } from './token.ts';

/** The largest reply we take. The default of 4 MB is less than a fleet's configuration; no limit is no limit. */
const MAX_REPLY_BYTES = 256 * 1024 * 1024;

type Policy = NonNullable<NonNullable<IOptions['faultHandling']>['global']>;

/** etcd3's place for retries and circuit breakers, with neither: who called decides, and a failure is told at once. */
const failAtOnce: Policy = {
  // eslint-disable-next-line @typescript-eslint/no-deprecated -- required by the type, though it exists for no other use
  _altReturn: undefined as never,
  onSuccess: () => ({ dispose: () => undefined }),
  onFailure: () => ({ dispose: () => undefined }),
  execute: async (fn) => fn({ signal: new AbortController().signal }),
};

export type KeepAliveStream = IDuplexStream<ILeaseKeepAliveRequest, ILeaseKeepAliveResponse>;
export type WatchStream = IDuplexStream<IWatchRequest, IWatchResponse>;

/**
 * One connection to one member of the cluster. It is never mended: whoever meets an error on it closes it and makes
 * another, to this member or the next, and reads afresh. etcd3 is used for its typed calls only; its reconnecting
 * watcher and lease, which can lose events, are not.
 */
export class EtcdLink {
  readonly endpoint: string;
  readonly #etcd: Etcd3;
  readonly #token = new Token();
  readonly #user: EtcdUser | null;
  readonly #underWay = new Set<() => void>();
  readonly #watches = new Set<WatchStream>();
  #renewal: Promise<Result<void, CodedError>> | null = null;
  #closed = false;

  private constructor(endpoint: string, etcd: (token: Token) => Etcd3, user: EtcdUser | null) {
    this.endpoint = endpoint;
    this.#etcd = etcd(this.#token);
    this.#user = user;
  }

  /** Nothing is sent yet: `logIn` does that, and without credentials the first call tells if all is well. */
  static create(settings: EtcdSettings, endpoint: Destination<Endpoint>, log: Log): Result<EtcdLink, CodedError> {
    sendGrpcLogTo(log);
    const auth = settings.auth?.() ?? ok(null);
    if (!auth.ok) return auth;
    const user = auth.value === null ? null : parseUser(auth.value);
    const { host, port, address, secure } = endpoint;
    const target = formatEndpoint(address, port);
    // A certificate carries the name, also where we dial one of its addresses.
    const certificateName = settings.tls?.serverName ?? (address === host ? undefined : host);
    const tls = settings.tls?.load() ?? ok({});
    if (!tls.ok) return tls;
    const etcd = (token: Token): Etcd3 =>
      new Etcd3({
        hosts: `${secure ? 'https' : 'http'}://${target}`,
        ...(secure ? { credentials: channelCredentials(tls.value) } : {}),
        grpcOptions: channelOptions(secure ? certificateName : undefined),
        faultHandling: { host: () => failAtOnce, global: failAtOnce },
        defaultCallOptions: (context: CallContext) => ({
          // gRPC compares deadlines with the wall clock, so no injected clock will do here.
          ...(context.isStream ? {} : { deadline: Date.now() + REQUEST_TIMEOUT_MS }),
          ...(user === null ? {} : { interceptors: [token.interceptor] }),
        }),
      });
    try {
      return ok(new EtcdLink(target, etcd, user));
    } catch (error) {
      // Certificates and keys that OpenSSL does not take.
      return err(new CodedError('STORE_AUTH_FAILED', `TLS to ${target}: ${describeError(error)}`));
    }
  }

  /** Gets a token for the calls that follow. Without credentials there is nothing to do. */
  async logIn(): Promise<Result<void, CodedError>> {
    const user = this.#user;
    if (user === null) return ok(undefined);
    this.#token.value = null;
    const reply = await this.#attempt(`login at ${this.endpoint}`, () => this.#etcd.auth.authenticate({ ...user }));
    if (!reply.ok) return reply;
    this.#token.value = reply.value.token;
    return ok(undefined);
  }

  range(request: IRangeRequest, timeoutMs = REQUEST_TIMEOUT_MS): Promise<Result<IRangeResponse, CodedError>> {
    return this.#call('read', () => this.#etcd.kv.range(request, { deadline: Date.now() + timeoutMs }));
  }

  txn(request: ITxnRequest, timeoutMs = REQUEST_TIMEOUT_MS): Promise<Result<ITxnResponse, CodedError>> {
    return this.#call('transaction', () => this.#etcd.kv.txn(request, { deadline: Date.now() + timeoutMs }));
  }

  /** The server may grant more than was asked for: never less than three halves of its election timeout. */
  async grantLease(ttlMs: number): Promise<Result<{ readonly id: string; readonly ttlMs: number }, CodedError>> {
    const reply = await this.#call('lease grant', () =>
      this.#etcd.leaseClient.leaseGrant({ TTL: Math.max(1, Math.ceil(ttlMs / 1_000)) }),
    );
    return reply.ok ? ok({ id: reply.value.ID, ttlMs: Number(reply.value.TTL) * 1_000 }) : reply;
  }

  /** Whether the lease still lives at the store. */
  async leaseLives(id: string): Promise<Result<boolean, CodedError>> {
    const reply = await this.#call('lease query', () => this.#etcd.leaseClient.leaseTimeToLive({ ID: id }));
    // -1 stands for a lease that is gone, 0 for one with less than a second left (etcd: LeaseTimeToLiveResponse).
    return reply.ok ? ok(Number(reply.value.TTL) >= 0) : reply;
  }

  revokeLease(id: string): Promise<Result<unknown, CodedError>> {
    return this.#call('lease revocation', () => this.#etcd.leaseClient.leaseRevoke({ ID: id }));
  }

  keepAlive(): Promise<Result<KeepAliveStream, CodedError>> {
    return this.#call('lease keepalive', () => this.#etcd.leaseClient.leaseKeepAlive());
  }

  async watch(): Promise<Result<WatchStream, CodedError>> {
    const opened = await this.#call('watch', () => this.#etcd.watchClient.watch());
    if (!opened.ok) return opened;
    const stream = opened.value;
    this.#watches.add(stream);
    stream.on('end', () => this.#watches.delete(stream));
    stream.on('error', () => this.#watches.delete(stream));
    if (this.#closed) giveUp(stream);
    return opened;
  }

  /**
   * Calls that are under way end now, with an error: gRPC would let them wait for their deadlines. So do watches: gRPC
   * would let them go on, and the connection with them, if the member was only frozen.
   */
  close(): void {
    this.#closed = true;
    for (const stream of [...this.#watches]) giveUp(stream);
    this.#etcd.close();
    for (const giveUp of [...this.#underWay]) giveUp();
  }

  async #call<T>(what: string, send: () => Promise<T>): Promise<Result<T, CodedError>> {
    const doing = `${what} at ${this.endpoint}`;
    const first = await this.#attempt(doing, send);
    if (first.ok || this.#user === null || !isTokenRefused(first.error)) return first;
    // A call with a bad token was not carried out, so even a write may be sent again with a new one. Once.
    const renewed = await (this.#renewal ??= this.logIn().finally(() => (this.#renewal = null)));
    return renewed.ok ? this.#attempt(doing, send) : renewed;
  }

  #attempt<T>(doing: string, send: () => Promise<T>): Promise<Result<T, CodedError>> {
    const over = (): Result<never, CodedError> =>
      err(new CodedError('STORE_DISCONNECTED', `${doing}: the connection was given up`, { transient: true }));
    if (this.#closed) return Promise.resolve(over());
    return new Promise((resolve) => {
      const giveUp = (): void => resolve(over());
      this.#underWay.add(giveUp);
      send()
        .then(ok, (error: unknown) => err(etcdError(error, doing)))
        .then((reply) => {
          this.#underWay.delete(giveUp);
          resolve(reply);
        }, giveUp);
    });
  }
}

function isTokenRefused(error: CodedError): boolean {
  return error.code === 'STORE_AUTH_FAILED' && error.transient;
}

function channelCredentials(tls: TlsMaterial): NonNullable<IOptions['credentials']> {
  return {
    rootCertificate: Buffer.from(tls.ca ?? rootCertificates.join('\n')),
    ...(tls.certificate === undefined ? {} : { certChain: Buffer.from(tls.certificate) }),
    ...(tls.key === undefined ? {} : { privateKey: Buffer.from(tls.key) }),
  };
}

function channelOptions(serverName: string | undefined): NonNullable<IOptions['grpcOptions']> {
  return {
    // grpc-js shares one TCP connection among channels with equal options. A name of its own keeps each link apart, so
    // that a new link never inherits a dead connection or its back-off.
    'grpc.primary_user_agent': `vipkeeper/${randomUUID()}`,
    'grpc.max_receive_message_length': MAX_REPLY_BYTES,
    // No pings of gRPC's own: members drop who sends more than they like (--grpc-keepalive-min-time), and the lease's
    // keepalive does the same and more. Retries are ours, and a proxy named in the environment is not meant for the control session.
    'grpc.enable_retries': 0,
    'grpc.enable_http_proxy': 0,
    ...(serverName === undefined
      ? {}
      : { 'grpc.ssl_target_name_override': serverName, 'grpc.default_authority': serverName }),
  };
}
