import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { openSource } from '../../src/sources/open-source.ts';
import type { StoreSettings } from '../../src/sources/open-source.ts';
import type { Source } from '../../src/sources/source.ts';
import { ChaosProxy } from '../../test/lab/chaos-proxy.ts';
import { eventually } from '../../test/lab/eventually.ts';
import { orThrow } from '../../test/lab/zookeeper-kit.ts';
import { collect } from './collect.ts';
import { median } from './numbers.ts';
import { below } from './report.ts';
import type { Reporter } from './report.ts';

const RECORDS = 10_000;
/** etcd refuses requests while 5,000 are not applied yet. */
const PEER_AT_ONCE = 2_500;
const ROUNDS = 3;
const RECONNECTS = 100;
const WARM_UP = 20;

/** A store with its whole tree in it, and somebody else's client for it. */
export interface WrittenStore {
  readonly name: string;
  readonly settings: StoreSettings;
  /** Sets one value that exists; resolves when the store has answered. */
  peerSet(path: string, text: string): Promise<void>;
}

/**
 * 10,000 changed records of one session, beside the other client's plain loop over as many existing values. Each
 * record stands for a real; an agent's health of 10,000 reals in 100 services is 100 records.
 */
export async function measurePublishing(
  store: WrittenStore,
  existing: readonly string[],
  report: Reporter,
): Promise<void> {
  const source = await connect(store.settings);
  const publish = async (round: number): Promise<void> => {
    const { written } = orThrow(await source.publish(records(`{"round":${round}}`)));
    if (written !== RECORDS) throw new Error(`${written} records were written, not ${RECORDS}`);
  };
  await publish(0);
  const ours: number[] = [];
  const theirs: number[] = [];
  for (let round = 1; round <= ROUNDS; round++) {
    const start = performance.now();
    await publish(round);
    ours.push(performance.now() - start);
    const peerStart = performance.now();
    for (let at = 0; at < RECORDS; at += PEER_AT_ONCE) {
      const paths = existing.slice(at, Math.min(at + PEER_AT_ONCE, RECORDS));
      await Promise.all(paths.map((path) => store.peerSet(path, `{"round":${round}}`)));
    }
    theirs.push(performance.now() - peerStart);
  }
  await source.close({ keepEphemeral: false });
  report.figure({
    figure: `store/${store.name}: ${RECORDS} health changes published`,
    value: median(ours),
    unit: 'ms',
    peer: { name: `the other client's loop, ${PEER_AT_ONCE} at once`, value: median(theirs) },
    goal: below(1_000),
  });
}

/** What a reconnect leaves on the heap; a connection that is kept by mistake would be a hundred kilobytes and more. */
export async function measureReconnects(store: WrittenStore, report: Reporter): Promise<void> {
  const proxy = await ChaosProxy.start(addressOf(store.settings));
  const source = await connect(by(proxy.address, store.settings));
  const isConnected = (): boolean => source.state().kind === 'connected';
  const reconnect = async (): Promise<void> => {
    proxy.cut();
    await eventually('the cut is noticed', () => !isConnected(), { everyMs: 1 });
    await eventually('connected again', isConnected, { everyMs: 1 });
  };
  for (let n = 0; n < WARM_UP; n++) await reconnect();
  collect();
  const before = process.memoryUsage().heapUsed;
  for (let n = 0; n < RECONNECTS; n++) await reconnect();
  collect();
  const left = (process.memoryUsage().heapUsed - before) / RECONNECTS / 1_000;
  await source.close({ keepEphemeral: false });
  await proxy.close();
  report.figure({
    figure: `store/${store.name}: heap that a reconnect leaves, mean of ${RECONNECTS}`,
    value: left,
    unit: 'kB',
    peer: null,
    goal: below(20),
  });
}

function records(text: string): Map<string, Uint8Array> {
  const bytes = Buffer.from(text);
  const path = (n: number): string => `state/health/s${n % 100}/lb${Math.floor(n / 100)}`;
  return new Map(Array.from({ length: RECORDS }, (_, n) => [path(n), bytes]));
}

export async function connect(settings: StoreSettings): Promise<Source> {
  const source = orThrow(await openSource(settings, { clock: systemClock, random: Math.random, log: silentLog }));
  source.start();
  await eventually('the source is connected', () => source.state().kind === 'connected');
  return source;
}

function addressOf(settings: StoreSettings): string {
  if (settings.kind === 'directory') throw new Error('a directory has no address');
  const [first = ''] = settings.kind === 'zookeeper' ? settings.servers : settings.endpoints;
  return first.replace('http://', '');
}

function by(address: string, settings: StoreSettings): StoreSettings {
  if (settings.kind === 'directory') return settings;
  return settings.kind === 'zookeeper' ? { ...settings, servers: [address] } : { ...settings, endpoints: [address] };
}
