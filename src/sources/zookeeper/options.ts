import { RETRY_PACE } from '../retry-pace.ts';
import { CodedError } from '../../core/errors.ts';
import type { Clock, Log, Random } from '../../core/ports.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { LoadAuth, StoreTls } from '../credentials.ts';
import type { TreeLimits } from './config-tree.ts';
import { ServerNames, systemLookup } from '../server-names.ts';
import type { Lookup, ServerAddress } from '../server-names.ts';
import { checkRoot } from './paths.ts';
import { CREATOR_ACL, OPEN_ACL, fullAccessFor } from './acl.ts';
import type { AclEntry } from './acl.ts';
import { DEFAULT_MAX_REQUEST_BYTES } from './protocol.ts';
import { parseServer } from './servers.ts';
import { Session } from './session.ts';
import { dialTcp, dialTlsWith } from './transport.ts';
import type { Dial } from './transport.ts';

export interface ZookeeperOptions {
  /** 'host', 'host:port', '[::1]:port'; the port is 2181 unless given. */
  readonly servers: readonly string[];
  /** Absolute; a chroot is simply a longer root: '/prod/edge/vipkeeper'. */
  readonly root: string;
  /** What we ask for; the server has the last word (its minSessionTimeout and maxSessionTimeout). Default 10 s. */
  readonly sessionTimeoutMs?: number;
  /** From the first SYN until we are authenticated at one server. Default: a third of the session time, 5 s at most. */
  readonly connectTimeoutMs?: number;
  /** "user:password" of the digest scheme, null for none; asked again on every connect. */
  readonly auth?: LoadAuth;
  /**
   * The agents' credentials, when ours are an operator's: with the root we make the `state` folder, and leave it to
   * them, for ZooKeeper passes no ACL down and nobody else could write below our root.
   */
  readonly agentAuth?: LoadAuth;
  readonly tls?: StoreTls;
  /**
   * Who may do what with the nodes that we make. 'creator': all may read, our credentials may do anything; 'open':
   * everybody may do anything. Default: 'creator' when there are credentials.
   */
  readonly acl?: 'creator' | 'open';
  /**
   * Read from a server that has lost its ensemble and answers from memory, until one with an ensemble has been met.
   * Default false.
   */
  readonly allowReadOnly?: boolean;
  /** The largest reply that is read; larger ones fail their request. Default 64 MiB. */
  readonly maxReplyBytes?: number;
  /** The server's jute.maxbuffer. Default 1 MiB less one byte, as the server's. */
  readonly maxRequestBytes?: number;
  readonly limits?: TreeLimits;
  /** Even without any event the whole tree is read again when it is as old as this. Default 10 min. */
  readonly rereadEveryMs?: number;
}

export interface ZookeeperDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** In place of TCP or TLS. */
  readonly dial?: Dial;
  /** In place of the system's resolver. */
  readonly lookup?: Lookup;
}

/** Options with every default filled in and every text parsed. */
export interface ZookeeperSettings {
  readonly servers: readonly ServerAddress[];
  readonly root: string;
  readonly acl: () => readonly AclEntry[];
  /** Of the `state` folder, when the root is made. */
  readonly stateAcl: () => readonly AclEntry[];
  readonly limits: TreeLimits;
  readonly rereadEveryMs: number;
  readonly sessionTimeoutMs: number;
  readonly maxRequestBytes: number;
  openSession(deps: ZookeeperDeps): Session;
}

const DEFAULT_SESSION_TIMEOUT_MS = 10_000;
const MAX_CONNECT_TIMEOUT_MS = 5_000;
const MIB = 1024 * 1024;
const DEFAULT_LIMITS: TreeLimits = { maxRecords: 250_000, maxBytes: 256 * MIB };

/** @returns BOOTSTRAP_INVALID when a server or the root cannot be understood */
export function zookeeperSettings(options: ZookeeperOptions): Result<ZookeeperSettings, CodedError> {
  const invalid = (message: string) => err(new CodedError('BOOTSTRAP_INVALID', message));
  const servers: ServerAddress[] = [];
  for (const text of options.servers) {
    const server = parseServer(text);
    if (server === undefined) return invalid(`${JSON.stringify(text)} is no server: expected host:port`);
    servers.push(server);
  }
  if (servers.length === 0) return invalid('no ZooKeeper server is given');
  const root = checkRoot(options.root);
  if (!root.ok) return invalid(`the root: ${root.error.message}`);
  const sessionTimeoutMs = options.sessionTimeoutMs ?? DEFAULT_SESSION_TIMEOUT_MS;
  const auth = options.auth ?? (() => ok(null));
  const maxRequestBytes = options.maxRequestBytes ?? DEFAULT_MAX_REQUEST_BYTES;
  const acl = (): readonly AclEntry[] => {
    if (options.acl !== undefined) return options.acl === 'open' ? OPEN_ACL : CREATOR_ACL;
    const credentials = auth();
    return credentials.ok && credentials.value === null ? OPEN_ACL : CREATOR_ACL;
  };
  const stateAcl = (): readonly AclEntry[] => {
    const own = acl();
    if (own === OPEN_ACL || options.agentAuth === undefined) return own;
    const agents = options.agentAuth();
    if (!agents.ok) return own;
    return agents.value === null ? OPEN_ACL : [...own, fullAccessFor(agents.value)];
  };
  return ok({
    servers,
    root: root.value,
    acl,
    stateAcl,
    limits: options.limits ?? DEFAULT_LIMITS,
    rereadEveryMs: options.rereadEveryMs ?? 600_000,
    sessionTimeoutMs,
    maxRequestBytes,
    openSession: (deps) =>
      new Session(
        {
          auth,
          sessionTimeoutMs,
          connectTimeoutMs: options.connectTimeoutMs ?? Math.min(sessionTimeoutMs / 3, MAX_CONNECT_TIMEOUT_MS),
          closeTimeoutMs: 1_000,
          allowReadOnly: options.allowReadOnly ?? false,
          maxReplyBytes: options.maxReplyBytes ?? 64 * MIB,
          maxRequestBytes,
          maxOutstanding: { maxCalls: 2_000, maxBytes: 64 * MIB },
          backoff: RETRY_PACE,
        },
        {
          ...deps,
          names: new ServerNames(servers, { ...deps, lookup: deps.lookup ?? systemLookup }),
          dial: deps.dial ?? (options.tls === undefined ? dialTcp : dialTlsWith(options.tls)),
        },
      ),
  });
}
