import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/core/bytes.ts';
import { COMMAND_COUNTERS, DESTINATION, DESTINATION_COUNTERS, STATS64 } from '../../../src/ipvs/attributes.ts';
import type { KernelDestination } from '../../../src/ipvs/dataplane.ts';
import { DumpLog, DumpLogger } from '../../../src/ipvs/dump-log.ts';
import { readTable } from '../../../src/ipvs/netlink/attribute-table.ts';
import { NLM_F_DUMP_INTR, NLM_F_MULTI } from '../../../src/ipvs/netlink/constants.ts';
import { GENL_HEADER_LENGTH } from '../../../src/ipvs/netlink/family.ts';
import { readAttributeHeader, readMessages, skipPadding } from '../../../src/ipvs/netlink/message.ts';
import { readDestination } from '../../../src/ipvs/replies.ts';
import { fromHex } from '../../fakes/hex.ts';
import { concatenated, netlinkMessage } from '../../fakes/netlink-kernel.ts';
import { runs } from '../../fakes/property.ts';
import { CAPTURED_FAMILY_ID, CAPTURES } from '../../vectors/ipvs-captures.ts';

interface Attribute {
  readonly id: number;
  readonly value: Uint8Array;
}

/** What the kernel of the captures calls IPVS. */
const FAMILY = CAPTURED_FAMILY_ID;
const HEADER = Uint8Array.from([5, 1, 0, 0]);
/** Numbers that no kernel of today uses. */
const UNKNOWN_IDS = [40, 41, 42] as const;

/** The destinations that a real kernel listed, attribute by attribute. */
const LISTED = CAPTURES.filter(({ command }) => command === '-Ln')
  .flatMap(({ received }) => received.flatMap((hex) => [...readMessages(fromHex(hex))]))
  .filter(({ payload }) => payload.remaining > 8 && payload.ahead().u8() === HEADER[0])
  .map(({ payload }) => {
    payload.skip(HEADER.length);
    const { length } = readAttributeHeader(payload);
    return attributesIn(payload.fenced(length));
  });

function attributesIn(reader: ByteReader): Attribute[] {
  const found: Attribute[] = [];
  while (reader.remaining > 0) {
    const { id, length } = readAttributeHeader(reader);
    found.push({ id, value: Uint8Array.from(reader.bytes(length)) });
    skipPadding(reader, length);
  }
  return found;
}

function written(attributes: readonly Attribute[]): Uint8Array {
  const writer = new ByteWriter();
  for (const { id, value } of attributes) {
    writer.u16le(value.length + 4).u16le(id);
    writer.bytes(value).zeros(-value.length & 3);
  }
  return writer.finish();
}

function message(attributes: readonly Attribute[]): Uint8Array {
  return Buffer.concat([HEADER, written([{ id: 2, value: written(attributes) }])]);
}

/** Words that say something in an attribute of IPVS, and some that say nothing new. */
const word = fc.constantFrom(0, 1, 2, 3, 8_080, 0xffff_ffff);

/** The same attribute with another value, or with the same. */
function revalued(attribute: Attribute): fc.Arbitrary<Attribute> {
  const { id, value } = attribute;
  return fc.record({ at: fc.nat(Math.max(0, value.length - 1)), byte: word }).map(({ at, byte }) => {
    const other = Uint8Array.from(value);
    // The family is one of two; any other is an error, and not what this is about.
    if (id !== DESTINATION.family.id && id !== DESTINATION_COUNTERS.stats64.id && other.length > 0) other[at] = byte;
    return { id, value: other };
  });
}

/** Statistics with some of the counters of the kernel's, whatever they say. */
const stats64 = fc
  .subarray(Object.values(STATS64), { minLength: 0 })
  .chain((specs) => fc.tuple(...specs.map(({ id }) => fc.bigInt(0n, 2n ** 64n - 1n).map((count) => ({ id, count })))))
  .map((counters) => written(counters.map(({ id, count }) => ({ id, value: new ByteWriter().u64le(count).finish() }))))
  .map((value): Attribute => ({ id: DESTINATION_COUNTERS.stats64.id, value }));

const unknown = fc.record({
  id: fc.constantFrom(...UNKNOWN_IDS),
  value: fc.uint8Array({ maxLength: 6 }),
});

/** A message that came of another: some values changed, statistics gone or others, unknown ones added, another order. */
function successor(attributes: readonly Attribute[]): fc.Arbitrary<readonly Attribute[]> {
  const isStats = ({ id }: Attribute): boolean => id === DESTINATION_COUNTERS.stats64.id;
  return fc
    .record({
      changed: fc.subarray([...attributes], { maxLength: 3 }),
      stats: fc.option(stats64, { nil: null }),
      keepStats: fc.constantFrom(true, true, false),
      added: fc.constantFrom(0, 0, 1).chain((count) => fc.array(unknown, { minLength: count, maxLength: count })),
      keepOrder: fc.constantFrom(true, true, true, false),
    })
    .chain(({ changed, stats, keepStats, added, keepOrder }) =>
      fc
        .tuple(...attributes.map((each) => (changed.includes(each) ? revalued(each) : fc.constant(each))))
        .map((all) => {
          const rest = keepStats ? all : all.filter((each) => !isStats(each));
          return [...rest, ...(stats === null || keepStats ? [] : [stats]), ...added];
        })
        .chain((all) => (keepOrder ? fc.constant(all) : fc.shuffledSubarray(all, { minLength: all.length }))),
    );
}

const pairs = fc
  .constantFrom(...LISTED)
  .chain((listed) =>
    successor(listed).chain((first) => fc.tuple(fc.constant(message(first)), successor(first).map(message))),
  );

function configuredIn(bytes: Uint8Array): KernelDestination | null {
  return readDestination(new ByteReader(bytes), 'ipv4');
}

let sequence = 0;

/** As the kernel sends them, in one datagram. */
function datagramOf(payloads: readonly Uint8Array[], flags = NLM_F_MULTI): Uint8Array {
  return concatenated(...payloads.map((payload) => netlinkMessage(FAMILY, flags, sequence, payload)));
}

function loggerAfter(before: DumpLog<KernelDestination>): DumpLogger<KernelDestination> {
  sequence++;
  return new DumpLogger(before, (payload) => readDestination(payload, 'ipv4'));
}

function takeEach(
  logger: DumpLogger<KernelDestination>,
  payloads: readonly Uint8Array[],
  first = 0,
  flags = NLM_F_MULTI,
): void {
  const messages = readMessages(datagramOf(payloads, flags));
  for (const [index, received] of [...messages].entries()) logger.take(received, first + index);
}

function logOf(before: DumpLog<KernelDestination>, ...payloads: readonly Uint8Array[]): DumpLog<KernelDestination> {
  const logger = loggerAfter(before);
  takeEach(logger, payloads);
  return logger.finish(payloads.length);
}

/** By the table, as any other attribute. */
function countersIn(bytes: Uint8Array): unknown {
  const reader = new ByteReader(bytes);
  reader.skip(GENL_HEADER_LENGTH);
  const found = readTable(reader, COMMAND_COUNTERS).destination ?? {};
  const { stats64: stats = {} } = found;
  const rate = (count: bigint | undefined): number => Number(count ?? 0n);
  return {
    activeConnections: found.activeConnections ?? 0,
    inactiveConnections: found.inactiveConnections ?? 0,
    persistentConnections: found.persistentConnections ?? 0,
    stats: {
      connections: stats.connections ?? 0n,
      inPackets: stats.inPackets ?? 0n,
      outPackets: stats.outPackets ?? 0n,
      inBytes: stats.inBytes ?? 0n,
      outBytes: stats.outBytes ?? 0n,
      connectionsPerSecond: rate(stats.connectionsPerSecond),
      inPacketsPerSecond: rate(stats.inPacketsPerSecond),
      outPacketsPerSecond: rate(stats.outPacketsPerSecond),
      inBytesPerSecond: rate(stats.inBytesPerSecond),
      outBytesPerSecond: rate(stats.outBytesPerSecond),
    },
  };
}

/** Where it is known to stand. */
function countersOf(log: DumpLog<KernelDestination>): unknown[] {
  return log.entries.map((entry) => ({
    activeConnections: log.connections('activeConnections', entry),
    inactiveConnections: log.connections('inactiveConnections', entry),
    persistentConnections: log.connections('persistentConnections', entry),
    stats: log.stats(entry),
  }));
}

describe('a message next to the one before', () => {
  it('begins with what a real kernel listed', () => {
    expect(LISTED.length).toBeGreaterThanOrEqual(3);
    expect(LISTED.every((attributes) => attributes.some(({ id }) => id === DESTINATION_COUNTERS.stats64.id))).toBe(
      true,
    );
  });

  it('is found equal only if both say the same when they are decoded', () => {
    const seen = { same: 0, alike: 0, different: 0 };
    fc.assert(
      fc.property(pairs, ([first, second]) => {
        const log = logOf(DumpLog.EMPTY, first);
        const [entry] = log.entries;
        if (entry === undefined) throw new Error('nothing was logged');
        const likeness = log.compared(new ByteReader(second), entry);
        seen[likeness]++;
        if (likeness !== 'different') expect(configuredIn(second)).toEqual(configuredIn(first));
        if (likeness === 'same') expect(second).toEqual(first);
        if (isDeepStrictEqual(first, second)) expect(likeness).toBe('same');
      }),
      runs(300),
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(3);
  });

  it('leaves what is decoded of it, and what it counted, as if it had been the first', () => {
    fc.assert(
      fc.property(pairs, ([first, second]) => {
        const log = logOf(logOf(DumpLog.EMPTY, first, first), first, second);
        expect(log.entries.map(({ configured }) => configured)).toEqual([configuredIn(first), configuredIn(second)]);
        expect(countersOf(log)).toEqual([countersIn(first), countersIn(second)]);
      }),
      runs(300),
    );
  });
});

describe('a dump next to the one before', () => {
  const [a = new Uint8Array(), b = new Uint8Array(), c = new Uint8Array()] = LISTED.map(message);

  it('that says nothing else leaves the log as it is', () => {
    const before = logOf(DumpLog.EMPTY, a, b);
    expect(logOf(before, a, b)).toBe(before);
  });

  it.each([
    ['shorter', [a]],
    ['empty', []],
    ['longer', [a, b, c]],
    ['in another order', [b, a]],
  ])('may be %s', (_, messages) => {
    const log = logOf(logOf(DumpLog.EMPTY, a, b), ...messages);
    expect(log.entries.map(({ configured }) => configured)).toEqual(messages.map(configuredIn));
    expect(log.bytes).toEqual(datagramOf(messages));
  });

  it('may be interrupted and begin anew, even with nothing', () => {
    const before = logOf(DumpLog.EMPTY, a, b);
    const logger = loggerAfter(before);
    takeEach(logger, [c]);
    takeEach(logger, [a, b]);
    expect(logger.finish(2)).toBe(before);
    takeEach(logger, [c]);
    expect(logger.finish(0).entries).toEqual([]);
  });
});

/** The same message with other counts. */
function recounted(attributes: readonly Attribute[]): fc.Arbitrary<readonly Attribute[]> {
  const counters: readonly number[] = Object.values(DESTINATION_COUNTERS).map(({ id }) => id);
  return fc.record({ at: fc.nat({ max: 200 }), byte: word }).map(({ at, byte }) =>
    attributes.map(({ id, value }) => {
      if (!counters.includes(id)) return { id, value };
      const other = Uint8Array.from(value);
      if (id !== DESTINATION_COUNTERS.stats64.id) other[at % other.length] = byte;
      // The last byte is that of a counter: nothing else has its place behind it.
      else if (other.length > 0) other[other.length - 1] = byte;
      return { id, value: other };
    }),
  );
}

const dumps = fc
  .array(fc.constantFrom(...LISTED).chain(successor), { minLength: 1, maxLength: 6 })
  .chain((first) => {
    const later = fc.constantFrom('same', 'counters', 'any').chain((change) => {
      if (change === 'same') return fc.constant(first);
      const each = first.map((attributes) =>
        change === 'counters'
          ? recounted(attributes)
          : fc.oneof(
              { weight: 4, arbitrary: fc.constant(attributes) },
              { arbitrary: successor(attributes), weight: 1 },
            ),
      );
      const moved = fc.tuple(...each);
      return change === 'counters' ? moved : moved.chain((all) => fc.subarray(all, { minLength: all.length - 1 }));
    });
    return fc.tuple(fc.constant(first), later, later, fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 4 }));
  })
  .map(([first, second, third, cuts]) => ({
    passes: [first, second, third].map((entries) => entries.map(message)),
    cuts,
  }));

/** In datagrams of so many messages; the last holds the rest. */
function cutInto(payloads: readonly Uint8Array[], cuts: readonly number[]): Uint8Array[][] {
  const parts: Uint8Array[][] = [];
  const rest = [...payloads];
  for (const count of cuts) parts.push(rest.splice(0, count));
  return [...parts, rest].filter((part) => part.length > 0);
}

describe('a datagram next to the messages before', () => {
  const [a = new Uint8Array(), b = new Uint8Array(), c = new Uint8Array()] = LISTED.map(message);

  it('leaves what its messages would, each decoded by itself', () => {
    const seen = { same: 0, counters: 0, taken: 0 };
    fc.assert(
      fc.property(dumps, ({ passes, cuts }) => {
        let log: DumpLog<KernelDestination> = DumpLog.EMPTY;
        for (const payloads of passes) {
          const { revision } = log;
          const logger = loggerAfter(log);
          let index = 0;
          let known = 0;
          for (const part of cutInto(payloads, cuts)) {
            const count = logger.takeKnown(datagramOf(part), sequence, index);
            expect([0, part.length]).toContain(count);
            if (count === 0) takeEach(logger, part, index);
            known += count;
            index += part.length;
          }
          log = logger.finish(payloads.length);
          if (known < payloads.length) seen.taken++;
          else if (log.revision === revision) seen.same++;
          else seen.counters++;
          expect(log.entries.map(({ configured }) => configured)).toEqual(payloads.map(configuredIn));
          expect(countersOf(log)).toEqual(payloads.map(countersIn));
        }
      }),
      runs(300),
    );
    expect(Math.min(...Object.values(seen))).toBeGreaterThan(30);
  });

  it('is known by all but the sequence number', () => {
    const before = logOf(DumpLog.EMPTY, a, b, c);
    const logger = loggerAfter(before);
    const whole = datagramOf([a, b, c]);
    const known = (datagram: Uint8Array, index = 0): number => logger.takeKnown(datagram, sequence, index);
    expect(known(whole)).toBe(3);
    expect(known(datagramOf([b, c]), 1)).toBe(2);
    expect(known(datagramOf([a, b, c], NLM_F_MULTI | NLM_F_DUMP_INTR))).toBe(0);
    expect(known(whole.subarray(0, -4))).toBe(0);
    expect(known(datagramOf([a, b, c, a]))).toBe(0);
    expect(known(whole, 3)).toBe(0);
    expect(logger.takeKnown(whole, sequence - 1, 0)).toBe(0);
    expect(before.revision).toBe(logOf(DumpLog.EMPTY, a, b, c).revision);
  });

  it('is never known where it tells of an interruption, though the one before did as well', () => {
    const interrupted = NLM_F_MULTI | NLM_F_DUMP_INTR;
    const first = loggerAfter(DumpLog.EMPTY);
    takeEach(first, [a, b], 0, interrupted);
    const logger = loggerAfter(first.finish(2));
    expect(logger.takeKnown(datagramOf([a, b], interrupted), sequence, 0)).toBe(0);
    expect(logger.takeKnown(datagramOf([a, b]), sequence, 0)).toBe(2);
  });

  it('is known only while nothing but a counter is another, wherever that stands', () => {
    const counting = new Set<number>();
    for (const at of c.keys()) {
      const logger = loggerAfter(logOf(DumpLog.EMPTY, c));
      const other = Uint8Array.from(c);
      other[at] = 0xff - (other[at] ?? 0);
      if (logger.takeKnown(datagramOf([other]), sequence, 0) === 1) counting.add(at >> 2);
    }
    const [entry] = logOf(DumpLog.EMPTY, c).entries;
    const words = [...(entry?.layout.counters.keys() ?? [])].filter((word) => entry?.layout.counters[word] === 1);
    expect([...counting]).toEqual(words);
    expect(words.length).toBeGreaterThan(20);
  });

  it('is taken apart behind a message that says something new, until the dump begins anew', () => {
    const before = logOf(DumpLog.EMPTY, a, b);
    const logger = loggerAfter(before);
    takeEach(logger, [c]);
    expect(logger.takeKnown(datagramOf([b]), sequence, 1)).toBe(0);
    expect(logger.takeKnown(datagramOf([a, b]), sequence, 0)).toBe(2);
    expect(logger.finish(2)).toBe(before);
  });
});
