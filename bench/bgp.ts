import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import type { Speaker } from '../src/bgp/port.ts';
import { address, peerSettings, route, speakerSettings } from '../test/fakes/bgp-settings.ts';
import * as wire from '../test/fakes/bgp-wire.ts';
import { ScriptedPeer } from '../test/lab/bgp-peer.ts';
import { established, peerOf, threadedSpeaker } from '../test/lab/bgp-speaker.ts';
import { Bird } from '../test/lab/bird.ts';
import { eventually } from '../test/lab/eventually.ts';
import { type Bench, below, type Reporter } from './kit/report.ts';

/*
 * The speaker in its worker against a real BIRD. The floor is a socket in this thread that writes the same UPDATEs,
 * packed and encoded beforehand: what BIRD, the kernel and the wire take by themselves.
 */

const COUNT = 10_000;
const ROUNDS = 9;
const SINGLES = 60;

const ADDRESSES = Array.from({ length: COUNT }, (_, i) => `10.64.${i >> 8}.${i & 255}`);
const ROUTES = ADDRESSES.map((each) => route(each, { communities: ['65001:100'], med: 50 }));

export const bench: Bench = {
  about: 'BGP: a table of 10,000 host routes to BIRD, its withdrawal, and the latency of one route',
  async run(report) {
    const floor = await withBird(async (bird) => {
      const sender = await PlainSender.start(bird);
      const times = await rounds(
        bird,
        () => sender.announce(),
        () => sender.withdraw(),
      );
      sender.close();
      return times;
    });
    const before = process.memoryUsage().rss;
    let grown = 0;
    const ours = await withBird(async (bird) => {
      const speaker = await speakerTo(bird);
      const times = await rounds(
        bird,
        () => void speaker.setRoutes(ROUTES, 5000),
        () => {
          grown = process.memoryUsage().rss - before;
          void speaker.setRoutes([], 5000);
        },
      );
      await speaker.stop({ kind: 'restart' });
      return times;
    });
    const name = 'encoded beforehand';
    report.figure({
      figure: `bgp: announce ${COUNT} routes to BIRD, first in a new process`,
      value: ours.full[0] ?? NaN,
      unit: 'ms',
      peer: { name, value: floor.full[0] ?? NaN },
      goal: null,
    });
    report.note(`announce: ${text(ours.full)} against ${text(floor.full)} ms`);
    report.note(`withdraw: ${text(ours.withdraw)} against ${text(floor.withdraw)} ms`);
    for (const [what, limit] of [
      ['full', 50],
      ['withdraw', 30],
    ] as const) {
      report.figure({
        figure: `bgp: ${what === 'full' ? 'announce' : 'withdraw'} ${COUNT} routes, to BIRD's table`,
        value: median(ours[what]),
        unit: 'ms',
        peer: { name, value: median(floor[what]) },
        goal: below(limit),
      });
    }
    await singles(report);
    report.figure({
      figure: `bgp: resident size added by the worker and ${COUNT} routes`,
      value: grown / 1e6,
      unit: 'MB',
      peer: null,
      goal: null,
    });
  },
};

/** One route among ten thousand: from the decision to the octets at the peer, and to the acknowledged withdrawal. */
async function singles(report: Reporter): Promise<void> {
  let arrived: () => void = () => undefined;
  const peer = await ScriptedPeer.listen('127.0.0.31', (connection) => {
    connection.send(wire.open({ holdTimeS: 90 }), wire.KEEPALIVE_HEX);
    connection.onMessage = (hex) => {
      if (hex.slice(36, 38) === '02') arrived();
    };
  });
  const speaker = threadedSpeaker();
  const settings = peerSettings({ address: address('127.0.0.31'), port: peer.port, holdTimeMs: 90_000 });
  speaker.configure(speakerSettings({ peers: [settings] }));
  await established(speaker);
  await speaker.setRoutes(ROUTES, 5000);
  const latencies: number[] = [];
  const flushes: number[] = [];
  for (let i = 0; i < SINGLES; i++) {
    const seen = new Promise<void>((resolve) => (arrived = resolve));
    const start = performance.now();
    const flushed = speaker.setRoutes([...ROUTES, route('203.0.113.1', { med: i })], 5000);
    await seen;
    latencies.push(performance.now() - start);
    await flushed;
    const withdrawn = performance.now();
    await speaker.setRoutes(ROUTES, 5000);
    flushes.push(performance.now() - withdrawn);
  }
  await speaker.stop({ kind: 'restart' });
  await peer.stop();
  const record = { unit: 'ms', peer: null };
  report.figure({
    ...record,
    figure: `bgp: one route of ${COUNT + 1} to the peer, p50`,
    value: median(latencies),
    goal: below(5),
  });
  report.figure({
    ...record,
    figure: `bgp: one route of ${COUNT + 1} to the peer, p90`,
    value: quantile(latencies, 0.9),
    goal: null,
  });
  report.figure({
    ...record,
    figure: 'bgp: one withdrawal to its acknowledgement, p50',
    value: median(flushes),
    goal: null,
  });
}

interface Times {
  readonly full: number[];
  readonly withdraw: number[];
}

/** The whole table to BIRD and away again, some times over on one session. */
async function rounds(bird: Bird, announce: () => void, withdraw: () => void): Promise<Times> {
  const times: Times = { full: [], withdraw: [] };
  for (let round = 0; round < ROUNDS; round++) {
    times.full.push(await timed(announce, bird, COUNT));
    times.withdraw.push(await timed(withdraw, bird, 0));
  }
  return times;
}

async function withBird<T>(run: (bird: Bird) => Promise<T>): Promise<T> {
  const options = { address: '127.0.0.30', asn: 65000, agentAddress: '127.0.0.2', agentAsn: 65001, holdTimeS: 90 };
  const bird = await Bird.start(options);
  try {
    return await run(bird);
  } finally {
    await bird.stop();
  }
}

async function speakerTo(bird: Bird): Promise<Speaker> {
  const speaker = threadedSpeaker();
  speaker.configure(speakerSettings({ peers: [peerOf(bird, { holdTimeMs: 90_000 })] }));
  await established(speaker);
  return speaker;
}

/** Milliseconds until BIRD's table has so many routes. */
async function timed(act: () => void, bird: Bird, routes: number): Promise<number> {
  await eventually('BIRD is ready', () => bird.isEstablished());
  const start = performance.now();
  act();
  await eventually(`${routes} routes`, async () => (await bird.importedCount()) === routes, { everyMs: 1 });
  return performance.now() - start;
}

class PlainSender {
  readonly #socket: Socket;
  readonly #announcements = packed(false);
  readonly #withdrawals = packed(true);

  private constructor(socket: Socket) {
    this.#socket = socket;
  }

  static async start(bird: Bird): Promise<PlainSender> {
    const socket = connect({ host: bird.address, port: bird.port, localAddress: '127.0.0.2', noDelay: true });
    await once(socket, 'connect');
    const capabilities = wire.MP_IPV4 + wire.capability(65, wire.u32(65001));
    const open = wire.open({
      asn: 65001,
      holdTimeS: 90,
      routerId: '0a000002',
      parameters: wire.parameter(2, capabilities),
    });
    socket.resume();
    socket.write(Buffer.from(open + wire.KEEPALIVE_HEX, 'hex'));
    return new PlainSender(socket);
  }

  announce(): void {
    this.#socket.write(this.#announcements);
  }

  withdraw(): void {
    this.#socket.write(this.#withdrawals);
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** Every UPDATE for the whole table, filled to the brim. */
function packed(withdraw: boolean): Buffer {
  const attributes =
    wire.ORIGIN +
    wire.attribute(0x40, 2, `0201${wire.u32(65001)}`) +
    wire.attribute(0x40, 3, 'c6336402') +
    wire.attribute(0x80, 4, wire.u32(50)) +
    wire.attribute(0xc0, 8, 'fde90064');
  const nlri = ADDRESSES.map(
    (text) =>
      `20${text
        .split('.')
        .map((part) => wire.u8(Number(part)))
        .join('')}`,
  );
  const perMessage = Math.floor((4096 - 23 - attributes.length / 2) / 5);
  const messages: string[] = [];
  for (let at = 0; at < nlri.length; at += perMessage) {
    const some = nlri.slice(at, at + perMessage).join('');
    messages.push(
      withdraw ? wire.update({ withdrawn: some, attributes: '', nlri: '' }) : wire.update({ attributes, nlri: some }),
    );
  }
  return Buffer.from(messages.join(''), 'hex');
}

function text(values: readonly number[]): string {
  return values.map((each) => each.toFixed(1)).join(' ');
}

function quantile(values: readonly number[], share: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NaN;
}

function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}
