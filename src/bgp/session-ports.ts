import type { Clock, Log, Random } from '../core/ports.ts';
import type { Dial } from './connection.ts';
import type { Interfaces } from './local-address.ts';
import type { SpeakerSettings } from './port.ts';

/** What a session needs from its surroundings. */
export interface SessionDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly dial: Dial;
  readonly interfaces: () => Interfaces;
  /** Runs something once the event loop has come round: `setImmediate`. */
  readonly defer: (run: () => void) => void;
}

/** The settings that all peers share. */
export type LocalSettings = Pick<SpeakerSettings, 'asn' | 'routerId' | 'gracefulRestartMs'>;

export interface SessionHooks {
  /** Something that the status shows has changed. */
  changed(): void;
  /** The agent has just restarted, and routers may still hold its routes for it. */
  isRestarting(): boolean;
}
