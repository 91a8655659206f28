import type { Family, IpAddress } from '../model/address.ts';
import { FAMILIES, familyName } from './family.ts';
import { chooseNextHop, type Interfaces } from './local-address.ts';
import type { PeerSettings } from './port.ts';
import { AdjRibOut, type NextHops, type RibSession } from './rib.ts';
import { encodeRefreshMark } from './route-refresh.ts';
import type { RouteTable } from './route-table.ts';
import { encodeEndOfRib } from './update.ts';

/** The connection as the announcer needs it. */
export interface AnnouncerLink {
  /** Octets that wait in this process because the peer does not read. */
  buffered(): number;
  write(bytes: Uint8Array): void;
}

export interface AnnouncerSession extends RibSession {
  readonly enhancedRouteRefresh: boolean;
  readonly localAddress: IpAddress;
}

export interface AnnouncerDeps {
  readonly interfaces: () => Interfaces;
  /** Runs something once the event loop has come round: `setImmediate`. */
  readonly defer: (run: () => void) => void;
  /** Something that the status shows has changed. */
  readonly changed: () => void;
}

/** Messages written in one go: at most 64 KiB, so that no session keeps the others' KEEPALIVEs waiting. */
const SLICE_MESSAGES = 16;
/** With more than this unsent, the peer is not reading: what else there is to say waits, and may change meanwhile. */
const HIGH_WATER_BYTES = 128 * 1024;

interface Open {
  readonly link: AnnouncerLink;
  readonly session: AnnouncerSession;
  nextHops: NextHops;
  /** Why a family has no next hop. */
  problems: ReadonlyMap<Family, string>;
  /** Families whose End-of-RIB is still to be sent. */
  readonly endOfRib: Set<Family>;
  /** Families whose refresh was asked for and has not begun. */
  readonly refreshAsked: Set<Family>;
  /** Families whose refresh is under way and will need its end mark (RFC 7313). */
  readonly refreshing: Set<Family>;
}

/** Keeps one peer told: routes in slices, then End-of-RIB when it may be sent, and again on ROUTE-REFRESH. */
export class Announcer {
  readonly #table: RouteTable;
  readonly #rib: AdjRibOut;
  readonly #deps: AnnouncerDeps;
  #peer: PeerSettings;
  #open: Open | null = null;
  #released: boolean;
  #deferred = false;

  constructor(table: RouteTable, peer: PeerSettings, released: boolean, deps: AnnouncerDeps) {
    this.#table = table;
    this.#rib = new AdjRibOut(table);
    this.#peer = peer;
    this.#released = released;
    this.#deps = deps;
  }

  get isOpen(): boolean {
    return this.#open !== null;
  }

  get announced(): number {
    return this.#rib.announced;
  }

  get endOfRibSent(): boolean {
    return this.#open?.endOfRib.size === 0;
  }

  /** Everything that the peer should know has been written, as far as this process is concerned. */
  get isSettled(): boolean {
    return this.#open === null || FAMILIES.every((family) => this.#rib.isSettled(family));
  }

  /** What is wanted and cannot be announced here; a family without routes is nobody's problem. */
  get problems(): readonly string[] {
    const problems = this.#open?.problems ?? new Map<Family, string>();
    return [...problems].filter(([family]) => this.#table.has(family)).map(([, problem]) => problem);
  }

  /** The session is Established. */
  open(link: AnnouncerLink, session: AnnouncerSession): void {
    const { nextHops, problems } = this.#chooseNextHops(session);
    this.#open = {
      link,
      session,
      nextHops,
      problems,
      endOfRib: new Set(session.families),
      refreshAsked: new Set(),
      refreshing: new Set(),
    };
    this.#rib.open(session, nextHops);
    this.pump();
  }

  close(): void {
    this.#open = null;
    this.#rib.close();
  }

  /** The wanted state of these addresses may have changed. */
  routesChanged(addresses: readonly IpAddress[]): void {
    if (this.#open === null) return;
    const { nextHops } = this.#open;
    const hopMatters = FAMILIES.some((family) => {
      const hop = nextHops[family];
      return hop === null ? this.#table.has(family) : addresses.includes(hop);
    });
    this.#rib.mark(addresses);
    if (hopMatters) this.#reviewNextHops(this.#open);
    this.pump();
  }

  /** New next hops, with the session left alone. */
  peerChanged(peer: PeerSettings): void {
    this.#peer = peer;
    if (this.#open === null) return;
    this.#reviewNextHops(this.#open);
    this.pump();
  }

  releaseEndOfRib(): void {
    this.#released = true;
    this.pump();
  }

  /** RFC 2918 section 4; for a family that was not negotiated it is ignored. */
  refresh(family: Family): void {
    if (this.#open?.session.families.includes(family) !== true) return;
    this.#open.refreshAsked.add(family);
    this.pump();
  }

  /** Writes what may be written now; called again on every change and whenever the connection made progress. */
  pump(): void {
    const open = this.#open;
    if (open === null || open.link.buffered() > HIGH_WATER_BYTES) return;
    this.#beginRefreshes(open);
    const before = this.#rib.announced;
    const messages = this.#rib.take(SLICE_MESSAGES);
    if (messages.length > 0) open.link.write(joined(messages));
    if (messages.length === SLICE_MESSAGES) this.#continueLater();
    const marks = this.#closingMarks(open);
    if (marks.length > 0) open.link.write(joined(marks));
    if (marks.length > 0 || this.#rib.announced !== before) this.#deps.changed();
  }

  #continueLater(): void {
    if (this.#deferred) return;
    this.#deferred = true;
    this.#deps.defer(() => {
      this.#deferred = false;
      this.pump();
    });
  }

  #beginRefreshes(open: Open): void {
    for (const family of open.refreshAsked) {
      if (open.session.enhancedRouteRefresh) {
        open.link.write(encodeRefreshMark(family, 'beginning'));
        open.refreshing.add(family);
      }
      this.#rib.refresh(family);
    }
    open.refreshAsked.clear();
  }

  #closingMarks(open: Open): Uint8Array[] {
    const marks: Uint8Array[] = [];
    for (const family of FAMILIES) {
      if (!this.#rib.isSettled(family)) continue;
      if (this.#released && open.endOfRib.delete(family)) marks.push(encodeEndOfRib(family));
      if (open.refreshing.delete(family)) marks.push(encodeRefreshMark(family, 'end'));
    }
    return marks;
  }

  #reviewNextHops(open: Open): void {
    const { nextHops, problems } = this.#chooseNextHops(open.session);
    open.nextHops = nextHops;
    open.problems = problems;
    this.#rib.setNextHops(nextHops);
    this.#deps.changed();
  }

  #chooseNextHops(session: AnnouncerSession): Pick<Open, 'nextHops' | 'problems'> {
    const problems = new Map<Family, string>();
    const interfaces = this.#deps.interfaces();
    const choose = (family: Family): IpAddress | null => {
      if (!session.families.includes(family)) {
        problems.set(family, `the peer did not negotiate ${familyName(family)} unicast`);
        return null;
      }
      const chosen = chooseNextHop(family, {
        peer: this.#peer,
        localAddress: session.localAddress,
        interfaces,
        isAnnounced: (address) => this.#table.get(address) !== undefined,
      });
      if (!chosen.ok) problems.set(family, chosen.error);
      return chosen.ok ? chosen.value : null;
    };
    return { nextHops: { ipv4: choose('ipv4'), ipv6: choose('ipv6') }, problems };
  }
}

function joined(messages: readonly Uint8Array[]): Uint8Array {
  const [only, ...others] = messages;
  return only !== undefined && others.length === 0 ? only : Buffer.concat(messages);
}
