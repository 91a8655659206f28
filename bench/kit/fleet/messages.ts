import type { StoreSettings } from '../../../src/sources/open-source.ts';
import type { FleetSize } from '../records.ts';

/** What a crew is: some of the fleet's agents in one process, each with a session of its own. */
export interface CrewOrder {
  readonly settings:
    Exclude<StoreSettings, { readonly kind: 'directory' } | { readonly kind: 'zookeeper' }> | ZookeeperPlace;
  readonly size: FleetSize;
  /** Number of its first agent in the fleet, and how many follow. */
  readonly first: number;
  readonly count: number;
}

/** Zookeeper settings without what cannot be sent to another process. */
export interface ZookeeperPlace {
  readonly kind: 'zookeeper';
  readonly servers: readonly string[];
  readonly root: string;
  readonly sessionTimeoutMs: number;
}

export type ToCrew =
  | { readonly kind: 'start'; readonly order: CrewOrder }
  /** Report when every agent's picture of `path` is `text`. */
  | { readonly kind: 'expect'; readonly path: string; readonly text: string }
  /** Every agent publishes its health of all services; of the first `changed` ones something is new. */
  | { readonly kind: 'publish'; readonly round: number; readonly changed: number }
  | { readonly kind: 'stop' };

/** Times are milliseconds since the epoch, with fractions. */
export type FromCrew =
  | { readonly kind: 'ready'; readonly at: number; readonly cpuMs: number }
  | { readonly kind: 'expecting' }
  | { readonly kind: 'seen'; readonly first: number; readonly last: number }
  | {
      readonly kind: 'published';
      readonly at: number;
      readonly records: number;
      readonly bytes: number;
      readonly breaks: number;
    }
  | { readonly kind: 'failed'; readonly why: string };

export function epochMs(): number {
  return performance.timeOrigin + performance.now();
}
