import type { Unsubscribe } from '../core/ports.ts';
import type { IpAddress } from '../model/address.ts';

/** A host route (/32 or /128) with the attributes it is announced with. Next hop is always ourselves. */
export interface Route {
  readonly address: IpAddress;
  /** RFC 1997, as "65000:100". */
  readonly communities: readonly string[];
  /** RFC 8092, as "65000:1:2". */
  readonly largeCommunities: readonly string[];
  /** MULTI_EXIT_DISC; null = attribute absent. */
  readonly med: number | null;
  /** How many times our AS is prepended beyond the one that eBGP asks for. */
  readonly prepend: number;
  /** LOCAL_PREF towards iBGP peers; null = 100. */
  readonly localPref: number | null;
  /** Names of the only peers that hear of it; null = all of them. */
  readonly peers: readonly string[] | null;
}

export interface PeerSettings {
  readonly name: string;
  readonly address: IpAddress;
  readonly port: number;
  readonly asn: number;
  /** TCP-MD5 key (RFC 2385) or null. Already resolved from its secret reference. */
  readonly password: string | null;
  /** GTSM (RFC 5082): the peer is at most this many hops away; null = off. */
  readonly ttlSecurityHops: number | null;
  /** TTL for eBGP multihop; null = the kernel's default. */
  readonly ttl: number | null;
  /** The address we connect from and offer as next hop of its family; null = the kernel's choice. */
  readonly localAddress: IpAddress | null;
  /** Next hop per family where it cannot be the session's local address. */
  readonly nextHopIpv4: IpAddress | null;
  readonly nextHopIpv6: IpAddress | null;
  readonly holdTimeMs: number;
  readonly connectRetryMs: number;
}

export interface SpeakerSettings {
  readonly asn: number;
  /** BGP Identifier as a dotted quad. */
  readonly routerId: IpAddress;
  /** Restart time that we offer (RFC 4724); 0 = no graceful restart capability. */
  readonly gracefulRestartMs: number;
  /**
   * An earlier speaker of this agent closed without NOTIFICATION or crashed, and the kernel went on forwarding: the
   * first session to each peer within the restart time carries the Restart State bit. Read only once, when the
   * speaker first comes to life.
   */
  readonly restarting: boolean;
  readonly peers: readonly PeerSettings[];
}

/** States of RFC 4271 section 8.2.2. */
export type BgpState = 'idle' | 'connect' | 'active' | 'openSent' | 'openConfirm' | 'established';

export interface PeerStatus {
  readonly name: string;
  readonly address: IpAddress;
  readonly asn: number;
  readonly state: BgpState;
  /** Wall-clock milliseconds of the last change of `state`. */
  readonly since: number;
  /** Routes announced on the current session. */
  readonly announced: number;
  readonly endOfRibSent: boolean;
  /** Why the session last went down, in RFC words; null when it never did. */
  readonly lastError: string | null;
  readonly holdTimeMs: number | null;
  /** How often an Established session was lost. */
  readonly flaps: number;
  /** Routes that the peer has announced on this session; they are counted and ignored. */
  readonly received: number;
  /** Why something that is wanted cannot be done at this peer, such as a family without a usable next hop. */
  readonly problems: readonly string[];
}

export type StopMode =
  /** Withdraw everything, flush, then Cease / Administrative Shutdown with a text (RFC 9003). */
  | { readonly kind: 'stop'; readonly text: string }
  /** Close without NOTIFICATION so that graceful restart keeps the routes (RFC 4724). */
  | { readonly kind: 'restart' };

/** The port to the BGP speaker, whichever thread it runs on. */
export interface Speaker {
  /** Replaces the settings; sessions of unchanged peers are left alone. null = no BGP: all sessions stop. */
  configure(settings: SpeakerSettings | null): void;
  /**
   * Replaces the whole set of routes to announce. Resolves once every established session has handed the difference
   * to the kernel's send queue and the queue was drained, or after `flushTimeoutMs`: then `flushed` is false.
   */
  setRoutes(routes: readonly Route[], flushTimeoutMs: number): Promise<{ readonly flushed: boolean }>;
  /**
   * Says that the route set is now meant (first verdicts are in): End-of-RIB may be sent. Until then sessions come
   * up, announce what is set, but hold End-of-RIB back. Idempotent.
   */
  releaseEndOfRib(): void;
  peers(): readonly PeerStatus[];
  onChange(poke: () => void): Unsubscribe;
  stop(mode: StopMode): Promise<void>;
}
