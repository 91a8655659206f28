import type { PeerStatus, SpeakerSettings, StopMode } from './port.ts';
import type { RouteDelta } from './route-delta.ts';

/** What the main thread tells the worker. Every message is plain data; the order of sending is the order of effect. */
export type ToWorker =
  | { readonly kind: 'configure'; readonly settings: SpeakerSettings | null }
  /** Against the routes sent before to the same worker; a new worker has none. */
  | { readonly kind: 'routes'; readonly id: number; readonly delta: RouteDelta; readonly flushTimeoutMs: number }
  | { readonly kind: 'releaseEndOfRib' }
  /** To be answered with `pong` at once. */
  | { readonly kind: 'ping' }
  | { readonly kind: 'stop'; readonly mode: StopMode };

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

export type FromWorker =
  | { readonly kind: 'peers'; readonly peers: readonly PeerStatus[] }
  | { readonly kind: 'flushed'; readonly id: number; readonly flushed: boolean }
  | { readonly kind: 'pong' }
  | { readonly kind: 'stopped' }
  | { readonly kind: 'log'; readonly level: LogLevel; readonly fields: object; readonly message: string };
