import type { PeerSettings } from '../../src/bgp/port.ts';
import { Session } from '../../src/bgp/session.ts';
import { silentLog } from '../../src/core/ports.ts';
import { type FakeConnection, FakeNetwork } from './bgp-network.ts';
import { address, peerSettings, route, WholeTable } from './bgp-settings.ts';
import * as w from './bgp-wire.ts';
import { ManualClock } from './manual-clock.ts';

/** One session with its clock and its network in the test's hands. */
export class SessionBench {
  readonly clock = new ManualClock();
  readonly network = new FakeNetwork();
  readonly table = new WholeTable();
  readonly session: Session;
  readonly deferred: (() => void)[] = [];
  changes = 0;
  restarting = false;

  constructor(peer: Partial<PeerSettings> = {}, released = true, gracefulRestartMs = 30_000) {
    this.session = new Session(
      peerSettings(peer),
      { asn: 65001, routerId: address('10.0.0.2'), gracefulRestartMs },
      this.table,
      released,
      {
        clock: this.clock,
        random: () => 0,
        log: silentLog,
        dial: this.network.dial,
        interfaces: () => ({}),
        defer: (run) => void this.deferred.push(run),
      },
      {
        changed: () => {
          this.changes++;
        },
        isRestarting: () => this.restarting,
      },
    );
  }

  get connection(): FakeConnection {
    return this.network.connection;
  }

  get state(): string {
    return this.session.status().state;
  }

  /** Lets the event loop come round until nothing is left to do. */
  turn(): void {
    while (this.deferred.length > 0) for (const run of this.deferred.splice(0)) run();
  }

  want(...texts: string[]): void {
    this.session.routesChanged(this.table.replace(texts.map((text) => route(text))));
    this.turn();
  }

  establish(open = w.open()): void {
    if (this.network.connections.length === 0) this.session.start();
    this.connection.accept();
    this.connection.receive(open);
    this.connection.receive(w.KEEPALIVE_HEX);
    this.turn();
    if (this.state !== 'established') throw new Error(`not established but ${this.state}`);
  }

  advance(ms: number): void {
    this.clock.advance(ms);
    this.turn();
  }
}
