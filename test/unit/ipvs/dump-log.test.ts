import { isDeepStrictEqual } from 'node:util';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/core/bytes.ts';
import { COMMAND_COUNTERS, DESTINATION, DESTINATION_COUNTERS, STATS64 } from '../../../src/ipvs/attributes.ts';
import type { KernelDestination } from '../../../src/ipvs/dataplane.ts';
import { DumpLog, DumpLogger } from '../../../src/ipvs/dump-log.ts';
import { readTable } from '../../../src/ipvs/netlink/attribute-table.ts';
import { GENL_HEADER_LENGTH } from '../../../src/ipvs/netlink/family.ts';
import { readAttributeHeader, readMessages, skipPadding } from '../../../src/ipvs/netlink/message.ts';
import { readDestination } from '../../../src/ipvs/replies.ts';
import { fromHex } from '../../fakes/hex.ts';
import { runs } from '../../fakes/property.ts';
import { CAPTURES } from '../../vectors/ipvs-captures.ts';

interface Attribute {
  readonly id: number;
  readonly value: Uint8Array;
}

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

function logOf(before: DumpLog<KernelDestination>, ...messages: readonly Uint8Array[]): DumpLog<KernelDestination> {
  const logger = new DumpLogger(before, (payload) => readDestination(payload, 'ipv4'));
  for (const [index, each] of messages.entries()) logger.take(new ByteReader(each), index);
  return logger.finish(messages.length);
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
        const counters = log.entries.map((entry) => ({
          activeConnections: log.connections('activeConnections', entry),
          inactiveConnections: log.connections('inactiveConnections', entry),
          persistentConnections: log.connections('persistentConnections', entry),
          stats: log.stats(entry),
        }));
        expect(counters).toEqual([countersIn(first), countersIn(second)]);
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
    expect(log.bytes).toEqual(Uint8Array.from(Buffer.concat(messages)));
  });

  it('may be interrupted and begin anew, even with nothing', () => {
    const before = logOf(DumpLog.EMPTY, a, b);
    const logger = new DumpLogger(before, (payload) => readDestination(payload, 'ipv4'));
    logger.take(new ByteReader(c), 0);
    logger.take(new ByteReader(a), 0);
    logger.take(new ByteReader(b), 1);
    expect(logger.finish(2)).toBe(before);
    logger.take(new ByteReader(c), 0);
    expect(logger.finish(0).entries).toEqual([]);
  });
});
