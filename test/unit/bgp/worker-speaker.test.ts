import { beforeEach, describe, expect, it } from 'vitest';
import type { PeerStatus, Route, Speaker } from '../../../src/bgp/port.ts';
import type { FromWorker, ToWorker } from '../../../src/bgp/worker-protocol.ts';
import { createSpeaker, type SpeakerWorker } from '../../../src/bgp/worker-speaker.ts';
import { type Log, silentLog } from '../../../src/core/ports.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { peerSettings, route, speakerSettings } from '../../fakes/bgp-settings.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

/** A worker whose far side is the test. What is posted is copied, as between threads. */
class FakeWorker implements SpeakerWorker {
  readonly posted: ToWorker[] = [];
  terminated = false;
  hangs = false;
  readonly #listeners: { message?: (m: FromWorker) => void; error?: (e: unknown) => void; exit?: (c: number) => void } =
    {};

  on(event: 'message', listener: (message: FromWorker) => void): void;
  on(event: 'error', listener: (error: unknown) => void): void;
  on(event: 'exit', listener: (code: number) => void): void;
  on(event: 'message' | 'error' | 'exit', listener: (value: never) => void): void {
    Object.assign(this.#listeners, { [event]: listener });
  }

  postMessage(message: ToWorker): void {
    if (message.kind === 'ping') {
      if (!this.hangs) this.tell({ kind: 'pong' });
      return;
    }
    this.posted.push(structuredClone(message));
  }

  terminate(): Promise<number> {
    this.terminated = true;
    this.#listeners.exit?.(1);
    return Promise.resolve(1);
  }

  tell(message: FromWorker): void {
    this.#listeners.message?.(structuredClone(message));
  }

  die(error?: Error): void {
    if (error !== undefined) this.#listeners.error?.(error);
    this.#listeners.exit?.(1);
  }

  get kinds(): string[] {
    return this.posted.map((message) => message.kind);
  }

  /** The routes as the worker would have them now. */
  get routes(): Map<IpAddress, Route> {
    const routes = new Map<IpAddress, Route>();
    for (const message of this.posted) {
      if (message.kind !== 'routes') continue;
      for (const each of message.delta.removed) routes.delete(each);
      for (const { attributes, addresses } of message.delta.set) {
        for (const address of addresses) routes.set(address, { address, ...attributes });
      }
    }
    return routes;
  }

  get lastFlush(): number {
    const ids = this.posted.flatMap((message) => (message.kind === 'routes' ? [message.id] : []));
    return ids.at(-1) ?? -1;
  }
}

let clock: ManualClock;
let workers: FakeWorker[];
let speaker: Speaker;
let errors: string[];

beforeEach(() => {
  clock = new ManualClock();
  workers = [];
  errors = [];
  const log: Log = { ...silentLog, error: (_, message) => void errors.push(message) };
  const spawn = (): FakeWorker => {
    const worker = new FakeWorker();
    workers.push(worker);
    return worker;
  };
  speaker = createSpeaker({ clock, random: () => 0, log, spawn });
});

function worker(): FakeWorker {
  const last = workers.at(-1);
  if (last === undefined) throw new Error('no worker');
  return last;
}

const UP: PeerStatus = {
  name: 'tor1',
  address: peerSettings().address,
  asn: 65000,
  state: 'established',
  since: 1,
  announced: 1,
  endOfRibSent: true,
  lastError: null,
  holdTimeMs: 9000,
  flaps: 0,
  received: 0,
  problems: [],
};

describe('the proxy of the speaker', () => {
  it('starts no thread for an agent without BGP', async () => {
    speaker.configure(null);
    expect(await speaker.setRoutes([route('203.0.113.1')], 100)).toEqual({ flushed: true });
    expect(workers).toEqual([]);
    speaker.configure(speakerSettings());
    expect(worker().routes.size).toBe(1);
    await Promise.all([
      speaker.stop({ kind: 'restart' }),
      Promise.resolve().then(() => worker().tell({ kind: 'stopped' })),
    ]);
  });

  it('sends settings, then the routes, and later only what changed', async () => {
    speaker.configure(speakerSettings());
    const routes = [route('203.0.113.1'), route('203.0.113.2')];
    const first = speaker.setRoutes(routes, 100);
    worker().tell({ kind: 'flushed', id: worker().lastFlush, flushed: true });
    expect(await first).toEqual({ flushed: true });
    const second = speaker.setRoutes([...routes, route('203.0.113.3')], 100);
    const last = worker().posted.at(-1);
    expect(last).toMatchObject({ kind: 'routes', delta: { removed: [], set: [{ addresses: ['203.0.113.3'] }] } });
    worker().tell({ kind: 'flushed', id: worker().lastFlush, flushed: false });
    expect(await second).toEqual({ flushed: false });
    expect(worker().kinds).toEqual(['configure', 'routes', 'routes', 'routes']);
  });

  it('shows peers as not up until the worker has spoken of them', () => {
    let pokes = 0;
    speaker.onChange(() => {
      pokes++;
    });
    speaker.configure(speakerSettings());
    expect(speaker.peers()).toMatchObject([{ name: 'tor1', state: 'idle', lastError: null }]);
    worker().tell({ kind: 'peers', peers: [UP] });
    expect(speaker.peers()).toEqual([UP]);
    expect(pokes).toBe(2);
  });

  it('starts a worker that died again, tells it everything and speaks of a restart', async () => {
    speaker.configure(speakerSettings());
    void speaker.setRoutes([route('203.0.113.1')], 100);
    const pending = speaker.setRoutes([route('203.0.113.1'), route('203.0.113.2')], 100);
    speaker.releaseEndOfRib();
    worker().tell({ kind: 'peers', peers: [UP] });
    worker().die(new Error('heap out of memory'));
    expect(await pending).toEqual({ flushed: false });
    expect(errors).toEqual(['the BGP worker ended and is started again']);
    expect(speaker.peers()).toMatchObject([
      { state: 'idle', announced: 0, lastError: 'WORKER_DIED: the BGP worker ended (heap out of memory)' },
    ]);
    expect(await speaker.setRoutes([route('203.0.113.9')], 100)).toEqual({ flushed: false });
    expect(workers).toHaveLength(1);
    clock.advance(100);
    expect(workers).toHaveLength(2);
    expect(worker().kinds).toEqual(['configure', 'routes', 'releaseEndOfRib']);
    expect(worker().posted[0]).toMatchObject({ settings: { restarting: true } });
    expect([...worker().routes.keys()]).toEqual(['203.0.113.9']);
  });

  it('waits for a flush no longer than a second beyond its time, whatever the worker does', async () => {
    speaker.configure(speakerSettings());
    worker().hangs = true;
    let flushed: boolean | null = null;
    void speaker.setRoutes([route('203.0.113.1')], 1_000).then((answer) => (flushed = answer.flushed));
    await clock.advanceAsync(1_999);
    expect(flushed).toBeNull();
    await clock.advanceAsync(1);
    expect(flushed).toBe(false);
    // An answer that comes later is nobody's.
    worker().tell({ kind: 'flushed', id: worker().lastFlush, flushed: true });
  });

  it('ends a worker that answers no more, and starts another, which knows the routes', () => {
    speaker.configure(speakerSettings());
    void speaker.setRoutes([route('203.0.113.1')], 100);
    clock.advance(3_600_000);
    expect(workers).toHaveLength(1);
    worker().hangs = true;
    clock.advance(5_999);
    expect(worker().terminated).toBe(false);
    clock.advance(4_000);
    expect(workers[0]?.terminated).toBe(true);
    expect(workers).toHaveLength(2);
    expect(worker().posted[0]).toMatchObject({ settings: { restarting: true } });
    expect([...worker().routes.keys()]).toEqual(['203.0.113.1']);
    expect(speaker.peers()).toMatchObject([
      { state: 'idle', lastError: expect.stringMatching(/ceased to answer/) as string },
    ]);
  });

  it('backs off from a worker that dies again and again, and forgets it after a minute of peace', () => {
    speaker.configure(speakerSettings());
    const waits: number[] = [];
    const deathToBirth = (): void => {
      const count = workers.length;
      worker().die();
      let waited = 0;
      while (workers.length === count) {
        clock.advance(50);
        waited += 50;
      }
      waits.push(waited);
    };
    for (let i = 0; i < 9; i++) deathToBirth();
    clock.advance(60_000);
    deathToBirth();
    expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 100]);
  });

  it('does not start a second worker when settings come while one is awaited', () => {
    speaker.configure(speakerSettings());
    worker().die();
    speaker.configure(speakerSettings({ asn: 65002 }));
    clock.advance(100);
    expect(workers).toHaveLength(2);
    expect(worker().posted[0]).toMatchObject({ settings: { asn: 65002, restarting: true } });
  });

  it('ignores what an old worker still has to say', () => {
    speaker.configure(speakerSettings());
    const old = worker();
    old.die();
    clock.advance(100);
    old.tell({ kind: 'peers', peers: [UP] });
    old.die();
    expect(speaker.peers()).toMatchObject([{ state: 'idle' }]);
    expect(workers).toHaveLength(2);
  });

  it('stops once the worker has, and terminates one that does not', async () => {
    speaker.configure(speakerSettings());
    const stopped = speaker.stop({ kind: 'stop', text: 'bye' });
    expect(worker().posted.at(-1)).toEqual({ kind: 'stop', mode: { kind: 'stop', text: 'bye' } });
    expect(worker().terminated).toBe(false);
    clock.advance(8000);
    await stopped;
    expect(worker().terminated).toBe(true);
    expect(errors).toEqual(['the BGP worker did not stop in time and is terminated']);
    expect(await speaker.setRoutes([], 10)).toEqual({ flushed: false });
    speaker.configure(speakerSettings());
    clock.advance(60_000);
    expect(workers).toHaveLength(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('stops although the worker dies over it', async () => {
    speaker.configure(speakerSettings());
    const stopped = speaker.stop({ kind: 'restart' });
    worker().die();
    await stopped;
    expect(workers).toHaveLength(1);
  });

  it('stops while no worker runs', async () => {
    speaker.configure(speakerSettings());
    worker().die();
    await speaker.stop({ kind: 'restart' });
    clock.advance(60_000);
    expect(workers).toHaveLength(1);
  });
});
