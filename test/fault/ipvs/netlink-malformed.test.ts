import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/core/bytes.ts';
import type { ByteReader } from '../../../src/core/bytes.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { EntryLayout } from '../../../src/ipvs/entry-layout.ts';
import { KernelDataplane } from '../../../src/ipvs/kernel-dataplane.ts';
import { readAcknowledgement, readDone, readMessages } from '../../../src/ipvs/netlink/message.ts';
import { readDestination, readService } from '../../../src/ipvs/replies.ts';
import { readAddress, readLink } from '../../../src/ipvs/rtnetlink/messages.ts';
import { fromHex } from '../../fakes/hex.ts';
import { ManualClock, settle } from '../../fakes/manual-clock.ts';
import { FakeNetlink } from '../../fakes/netlink-kernel.ts';
import { runs } from '../../fakes/property.ts';
import { CAPTURES, RESOLVE_FAMILY } from '../../vectors/ipvs-captures.ts';
import { ADDRESS_CAPTURES } from '../../vectors/rtnetlink-captures.ts';

const GENUINE = [...CAPTURES, RESOLVE_FAMILY, ...ADDRESS_CAPTURES].flatMap(({ received }) => received.map(fromHex));

/** Everything that ever decodes something from the kernel. */
function decodeEverything(datagram: Uint8Array): void {
  const readers = [
    (payload: ByteReader) => readService(payload),
    (payload: ByteReader) => readDestination(payload, 'ipv4'),
    (payload: ByteReader) => new EntryLayout(payload).statsIn(payload, 0),
    (payload: ByteReader) => readAddress(payload),
    (payload: ByteReader) => readLink(payload),
  ];
  for (const read of readers) {
    guarded(() => {
      for (const { payload } of readMessages(datagram)) read(payload);
    });
  }
  guarded(() => {
    for (const message of readMessages(datagram)) readAcknowledgement(message);
  });
  guarded(() => {
    for (const message of readMessages(datagram)) readDone(message);
  });
}

/** Anything but a DecodeError is a defect. */
function guarded(decode: () => void): void {
  try {
    decode();
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
  }
}

/** The bytes inside a larger buffer whose rest would tell if it were read: every length beyond the fence fails. */
function fenced(bytes: Uint8Array): Uint8Array {
  const larger = new Uint8Array(bytes.length + 64).fill(0xff);
  larger.set(bytes, 32);
  return larger.subarray(32, 32 + bytes.length);
}

const mutated = fc
  .tuple(fc.constantFrom(...GENUINE), fc.array(fc.tuple(fc.nat(), fc.nat({ max: 255 })), { maxLength: 8 }), fc.nat())
  .map(([genuine, changes, cut]) => {
    const bytes = Uint8Array.from(genuine);
    for (const [at, value] of changes) bytes[at % bytes.length] = value;
    return bytes.subarray(0, bytes.length - (cut % 3 === 0 ? cut % bytes.length : 0));
  });

describe('bytes that are not what the kernel would send', () => {
  it('fail to decode in one way only, whatever they are', () => {
    expect(GENUINE.length).toBeGreaterThan(20);
    fc.assert(
      fc.property(fc.oneof(mutated, fc.uint8Array({ maxLength: 200 })), (bytes) => {
        decodeEverything(fenced(bytes));
      }),
      runs(2_000),
    );
  });

  it('never read beyond their end', () => {
    fc.assert(
      fc.property(mutated, (bytes) => {
        // The same bytes alone and among others decode to the same.
        const alone = outcomes(Uint8Array.from(bytes));
        expect(outcomes(fenced(bytes))).toEqual(alone);
      }),
      runs(300),
    );
  });

  it('cost one exchange, not the dataplane', async () => {
    await fc.assert(
      fc.asyncProperty(mutated, async (bytes) => {
        let sane = false;
        const kernel = new FakeNetlink(([message], socket) => {
          if (message === undefined) return;
          const answer = message.type === 0x10 ? RESOLVE_FAMILY.received : [];
          for (const hex of answer) socket.deliver(withSequence(fromHex(hex), message.sequence));
          if (message.type !== 0x10 && sane) socket.deliver(withSequence(fromHex(DONE), message.sequence));
          if (message.type !== 0x10 && !sane) {
            socket.deliver(bytes.length < 12 ? bytes : withSequence(bytes, message.sequence));
            socket.break('the kernel went away');
          }
        });
        const dataplane = new KernelDataplane({
          open: kernel.open,
          clock: new ManualClock(),
          log: silentLog,
          loadModule: () => Promise.resolve(),
        });
        const first = await dataplane.read();
        if (!first.ok) expect(['NETLINK_LOST', 'NETLINK_MALFORMED', 'NETLINK_REFUSED']).toContain(first.error.code);
        // A break that came too late for the first reading happens before the second.
        await settle();
        sane = true;
        expect(await dataplane.read()).toEqual({ ok: true, value: new Map() });
        await dataplane.close();
      }),
      runs(100),
    );
  });
});

const DONE = '1400000003000200000000000000000000000000';

function withSequence(bytes: Uint8Array, sequence: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  new DataView(copy.buffer).setUint32(8, sequence, true);
  return copy;
}

function outcomes(bytes: Uint8Array): unknown[] {
  const found: unknown[] = [];
  guarded(() => {
    for (const message of readMessages(bytes)) {
      found.push(message.type, message.sequence);
      guarded(() => found.push(readService(message.payload)));
    }
  });
  return found;
}
