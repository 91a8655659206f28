import type { Unsubscribe } from '../core/ports.ts';
import { CeaseError, ErrorCode } from './constants.ts';
import { encodeShutdownText, type Notification } from './notification.ts';
import type { PeerSettings, PeerStatus, Route, Speaker, SpeakerSettings, StopMode } from './port.ts';
import { type RouteDelta, RouteMemory } from './route-delta.ts';
import { RouteTable } from './route-table.ts';
import { Session } from './session.ts';
import type { LocalSettings, SessionDeps } from './session-ports.ts';

/** How often an unacknowledged flush is looked at: there is no event for an emptied send queue in the kernel. */
const FLUSH_POLL_MS = 2;
/** How long a stop waits for the withdrawals to be acknowledged before it says Cease all the same. */
const STOP_FLUSH_MS = 3000;

/** All peers, in the thread that it is made in. */
export class BgpSpeaker implements Speaker {
  readonly #deps: SessionDeps;
  readonly #table = new RouteTable();
  readonly #memory = new RouteMemory();
  readonly #sessions = new Map<string, Session>();
  /** What has to end before a peer of that name may be dialled again. */
  readonly #closing = new Map<string, Promise<void>>();
  readonly #listeners = new Set<() => void>();
  #local: LocalSettings | null = null;
  /** Monotonic; until then routers may hold the routes of the speaker that ran before us. */
  #restartingUntil: number | null = null;
  #released = false;
  #pokePending = false;
  #stopped: Promise<void> | null = null;

  constructor(deps: SessionDeps) {
    this.#deps = deps;
  }

  configure(settings: SpeakerSettings | null): void {
    if (this.#stopped !== null) return;
    if (settings !== null) this.#noteRestart(settings);
    const local = settings === null ? null : localSettings(settings);
    const sameLocal = sameFields(local, this.#local);
    this.#local = local;
    const wanted = new Map(settings?.peers.map((peer) => [peer.name, peer]));
    for (const [name, session] of this.#sessions) {
      const peer = wanted.get(name);
      if (peer !== undefined && sameLocal && sameSession(peer, session.peer)) session.peerChanged(peer);
      else this.#retire(session, peer, sameLocal);
    }
    if (local !== null) for (const peer of wanted.values()) this.#ensure(peer, local);
    this.#changed();
  }

  setRoutes(routes: readonly Route[], flushTimeoutMs: number): Promise<{ readonly flushed: boolean }> {
    return this.changeRoutes(this.#memory.change(routes), flushTimeoutMs);
  }

  /** As `setRoutes`, for callers that keep track of the whole set themselves. Use one or the other. */
  changeRoutes(delta: RouteDelta, flushTimeoutMs: number): Promise<{ readonly flushed: boolean }> {
    if (this.#stopped !== null) return Promise.resolve({ flushed: false });
    this.#apply(delta);
    return this.#flush(flushTimeoutMs);
  }

  releaseEndOfRib(): void {
    this.#released = true;
    for (const session of this.#sessions.values()) session.releaseEndOfRib();
  }

  peers(): readonly PeerStatus[] {
    return [...this.#sessions.values()].map((session) => session.status());
  }

  onChange(poke: () => void): Unsubscribe {
    this.#listeners.add(poke);
    return () => void this.#listeners.delete(poke);
  }

  stop(mode: StopMode): Promise<void> {
    this.#stopped ??= this.#stop(mode);
    return this.#stopped;
  }

  async #stop(mode: StopMode): Promise<void> {
    if (mode.kind === 'stop') {
      this.#apply({ removed: [...this.#table.values()].map((entry) => entry.address), set: [] });
      await this.#flush(STOP_FLUSH_MS);
    }
    const closed = [...this.#sessions.values()].map((session) =>
      mode.kind === 'stop'
        ? session.stop(cease(CeaseError.administrativeShutdown, encodeShutdownText(mode.text)), 'stopped')
        : session.stop(null, 'stopped for a restart'),
    );
    await Promise.all([...closed, ...this.#closing.values()]);
  }

  #apply(delta: RouteDelta): void {
    const changed = this.#table.apply(delta);
    for (const session of this.#sessions.values()) session.routesChanged(changed);
  }

  #noteRestart(settings: SpeakerSettings): void {
    const now = this.#deps.clock.monotonic();
    this.#restartingUntil ??= settings.restarting ? now + settings.gracefulRestartMs : now;
  }

  #ensure(peer: PeerSettings, local: LocalSettings): void {
    const { name } = peer;
    if (this.#sessions.has(name)) return;
    const session = new Session(peer, local, this.#table, this.#released, this.#deps, {
      changed: () => this.#changed(),
      isRestarting: () => this.#deps.clock.monotonic() < (this.#restartingUntil ?? 0),
    });
    this.#sessions.set(name, session);
    const closing = this.#closing.get(name);
    if (closing === undefined) session.start();
    else {
      // Two connections of one pair of addresses would be a collision to the peer (RFC 4271 section 6.8).
      void closing.then(() => {
        if (this.#sessions.get(name) === session && this.#stopped === null) session.start();
      });
    }
  }

  /** @param successor the peer's new settings, or undefined when it is no longer wanted */
  #retire(session: Session, successor: PeerSettings | undefined, sameLocal: boolean): void {
    const { name } = session.peer;
    this.#sessions.delete(name);
    const closed = session.stop(farewell(session, successor, sameLocal), 'the configuration changed');
    const all = Promise.all([closed, this.#closing.get(name)]).then(() => {
      if (this.#closing.get(name) === all) this.#closing.delete(name);
    });
    this.#closing.set(name, all);
  }

  #flush(timeoutMs: number): Promise<{ readonly flushed: boolean }> {
    const { clock } = this.#deps;
    const deadline = clock.monotonic() + timeoutMs;
    return new Promise((resolve) => {
      const look = (): void => {
        const flushed = [...this.#sessions.values()].every((session) => session.isFlushed);
        if (flushed || clock.monotonic() >= deadline) resolve({ flushed });
        else clock.after(FLUSH_POLL_MS, look);
      };
      look();
    });
  }

  /** Never from within a session's step, so that a listener may call us back; and a burst of changes pokes once. */
  #changed(): void {
    if (this.#pokePending) return;
    this.#pokePending = true;
    this.#deps.defer(() => {
      this.#pokePending = false;
      for (const poke of this.#listeners) poke();
    });
  }
}

/**
 * How to leave a peer. One that will be the same to the outside, and that keeps our routes meanwhile, needs no
 * NOTIFICATION, which would make it drop them.
 */
function farewell(session: Session, successor: PeerSettings | undefined, sameLocal: boolean): Notification | null {
  if (successor === undefined) return cease(CeaseError.peerDeconfigured);
  const { address, port, asn } = session.peer;
  const same = sameLocal && address === successor.address && port === successor.port && asn === successor.asn;
  return same && session.keepsRoutesOverRestart ? null : cease(CeaseError.otherConfigurationChange);
}

function cease(subcode: number, data: Uint8Array = new Uint8Array(0)): Notification {
  return { code: ErrorCode.cease, subcode, data };
}

function localSettings({ asn, routerId, gracefulRestartMs }: SpeakerSettings): LocalSettings {
  return { asn, routerId, gracefulRestartMs };
}

/** The peer can keep its session: what differs takes effect without a new OPEN or a new socket. */
function sameSession(a: PeerSettings, b: PeerSettings): boolean {
  const needsNewSession = (peer: PeerSettings): object => ({
    ...peer,
    nextHopIpv4: null,
    nextHopIpv6: null,
    connectRetryMs: 0,
  });
  return sameFields(needsNewSession(a), needsNewSession(b));
}

function sameFields(a: object | null, b: object | null): boolean {
  const sorted = (fields: object | null): string =>
    JSON.stringify(fields === null ? null : Object.entries(fields).sort(([x], [y]) => (x < y ? -1 : 1)));
  return sorted(a) === sorted(b);
}
