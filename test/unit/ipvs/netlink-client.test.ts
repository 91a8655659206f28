import { describe, expect, it } from 'vitest';
import { DecodeError } from '../../../src/core/bytes.ts';
import { NetlinkClient } from '../../../src/ipvs/netlink/client.ts';
import type { ClientLimits } from '../../../src/ipvs/netlink/client.ts';
import type { NetlinkMessage, NetlinkRequest } from '../../../src/ipvs/netlink/message.ts';
import { errnoOf } from '../../../src/ipvs/kernel-refusal.ts';
import { ManualClock, settle } from '../../fakes/manual-clock.ts';
import {
  acknowledgement,
  answersTo,
  concatenated,
  done,
  FakeNetlink,
  netlinkMessage,
} from '../../fakes/netlink-kernel.ts';
import type { Answer } from '../../fakes/netlink-kernel.ts';

const request = (byte = 0): NetlinkRequest => ({
  type: 0x20,
  writePayload: (writer) => {
    writer.u32le(byte);
  },
});
const firstByte = ({ payload }: NetlinkMessage): number => payload.u8();
const entry = (sequence: number, byte: number, flags = 0x02): Uint8Array =>
  netlinkMessage(0x20, flags, sequence, Uint8Array.of(byte, 0, 0, 0));

function clientOver(answer: Answer, limits: Partial<ClientLimits> = {}) {
  const clock = new ManualClock();
  const kernel = new FakeNetlink(answer);
  return { clock, kernel, client: new NetlinkClient({ open: kernel.open, clock, limits }) };
}

const acknowledgeAll: Answer = (messages, socket) => socket.deliver(...answersTo(messages));

describe('requests', () => {
  it('go out in batches, and each refusal finds its request', async () => {
    const { kernel, client } = clientOver(
      (messages, socket) => {
        socket.deliver(concatenated(...answersTo(messages, ({ payload }) => ((payload[0] ?? 0) % 3 === 1 ? 17 : 0))));
      },
      { batchMessages: 4 },
    );
    const { answers, lost } = await client.request(Array.from({ length: 10 }, (_, index) => request(index)));
    expect(lost).toBeNull();
    expect(answers.map(({ errno }) => errno)).toEqual([0, 17, 0, 0, 17, 0, 0, 17, 0, 0]);
    expect(kernel.sent.map((batch) => batch.length)).toEqual([4, 4, 2]);
    expect(new Set(kernel.sent.flat().map(({ sequence }) => sequence)).size).toBe(10);
    // NLM_F_ACK of the last only: what the kernel refuses, it answers anyway.
    const asked = kernel.sent.map((batch) => batch.map(({ flags }) => (flags & 0x04) !== 0));
    expect(asked).toEqual([
      [false, false, false, true],
      [false, false, false, true],
      [false, true],
    ]);
    expect(client.counters).toMatchObject({ datagrams: 3, messages: 10, refused: 3, lost: 0, dumps: 0 });
  });

  it('go out in smaller batches where the receive buffer is too small for all answers', async () => {
    const { kernel, client } = clientOver(acknowledgeAll);
    kernel.receiveBufferBytes = 4_000;
    const { answers, lost } = await client.request(Array.from({ length: 7 }, (_, index) => request(index)));
    expect({ answers: answers.length, lost }).toEqual({ answers: 7, lost: null });
    expect(kernel.sent.map((batch) => batch.length)).toEqual([3, 3, 1]);
  });

  it('are lost when an answer comes out of its order, for then nobody knows what the others are', async () => {
    const { client } = clientOver((messages, socket) => {
      const [first, second] = messages;
      if (first !== undefined && second !== undefined) {
        socket.deliver(acknowledgement(second, 17), acknowledgement(first, 17));
      }
    });
    expect((await client.request([request(), request(), request()])).lost?.code).toBe('NETLINK_MALFORMED');
  });

  it('send nothing for nothing', async () => {
    const { kernel, client } = clientOver(acknowledgeAll);
    expect(await client.request([])).toEqual({ answers: [], lost: null });
    expect(kernel.sockets).toEqual([]);
  });

  it('keep what was answered before the answers stopped, and open a new socket for the next', async () => {
    const { clock, kernel, client } = clientOver((messages, socket) =>
      socket.deliver(...messages.slice(0, 2).map((each) => acknowledgement(each))),
    );
    const outcome = client.request([request(), request(), request()]);
    await settle();
    await settle();
    await clock.advanceAsync(12_000);
    const { answers, lost } = await outcome;
    expect(answers.length).toBe(2);
    expect(lost?.code).toBe('NETLINK_LOST');
    expect(lost?.transient).toBe(true);
    expect(kernel.sockets[0]?.closed).toBe(true);

    kernel.answer = acknowledgeAll;
    expect((await client.request([request()])).lost).toBeNull();
    expect(kernel.sockets.length).toBe(2);
    expect(client.counters.lost).toBe(1);
    expect(clock.pendingTimers).toBe(0);
  });

  it('are not cut short by the time-out while answers keep coming', async () => {
    const { clock, kernel, client } = clientOver(() => undefined, { replyTimeoutMs: 100 });
    const outcome = client.request([request(), request(), request()]);
    await settle();
    for (const message of kernel.sent.flat()) {
      await clock.advanceAsync(90);
      kernel.sockets[0]?.deliver(acknowledgement(message));
      await settle();
    }
    expect((await outcome).answers.length).toBe(3);
  });

  it('that were not tried are not answered when the socket breaks in between', async () => {
    const { kernel, client } = clientOver(
      (messages, socket) => {
        if (kernel.sent.length === 1) acknowledgeAll(messages, socket);
        else socket.break('ENOBUFS');
      },
      { batchMessages: 2 },
    );
    const { answers, lost } = await client.request([request(), request(), request(), request(), request()]);
    expect(answers.length).toBe(2);
    expect(lost?.message).toBe('ENOBUFS');
    expect(kernel.sent.length).toBe(2);
  });

  it('ignore answers to what was given up', async () => {
    const { clock, kernel, client } = clientOver(() => undefined);
    const given = client.request([request()]);
    await clock.advanceAsync(20_000);
    await given;
    kernel.answer = (messages, socket) => {
      const [late] = kernel.sent.flat();
      if (late !== undefined) socket.deliver(acknowledgement(late, 1));
      acknowledgeAll(messages, socket);
    };
    const { answers } = await client.request([request()]);
    expect(answers.map(({ errno }) => errno)).toEqual([0]);
  });

  it('wait for their turn, in a queue with an end', async () => {
    const { kernel, client } = clientOver(acknowledgeAll, { queuedExchanges: 2 });
    const outcomes = await Promise.all([1, 2, 3].map(() => client.request([request()])));
    expect(outcomes.map(({ lost }) => lost?.code ?? 'ok')).toEqual(['ok', 'ok', 'NETLINK_UNAVAILABLE']);
    expect(kernel.sent.length).toBe(2);
  });
});

describe('dumps', () => {
  it('gather the parts up to the end', async () => {
    const { client } = clientOver(([message], socket) => {
      if (message === undefined) return;
      socket.deliver(
        concatenated(entry(message.sequence, 1), entry(message.sequence, 2)),
        concatenated(entry(message.sequence, 3), done(message)),
      );
    });
    expect(await client.dump(request(), firstByte)).toEqual({ ok: true, value: [1, 2, 3] });
    expect(client.counters).toMatchObject({ dumps: 1, messages: 1, interruptedDumps: 0 });
  });

  it('are repeated when a change overtook them, and only the last pass counts', async () => {
    let passes = 0;
    const { client } = clientOver(([message], socket) => {
      if (message === undefined) return;
      passes++;
      const flags = passes < 3 ? 0x12 : 0x02;
      socket.deliver(concatenated(entry(message.sequence, passes, flags), done(message)));
    });
    expect(await client.dump(request(), firstByte)).toEqual({ ok: true, value: [3] });
    expect(client.counters.interruptedDumps).toBe(2);
  });

  it('end with an error when the table never holds still', async () => {
    const { client, kernel } = clientOver(
      ([message], socket) => {
        if (message !== undefined) socket.deliver(concatenated(entry(message.sequence, 1), done(message, 0x12)));
      },
      { dumpAttempts: 3 },
    );
    const outcome = await client.dump(request(), firstByte);
    expect(outcome.ok ? '' : outcome.error.code).toBe('NETLINK_LOST');
    expect(kernel.sent.length).toBe(3);
  });

  it('are offered datagram by datagram to who may know them, and taken apart where they are not known', async () => {
    const { client } = clientOver(([message], socket) => {
      if (message === undefined) return;
      const { sequence } = message;
      socket.deliver(
        concatenated(entry(sequence, 1), entry(sequence, 2)),
        entry(sequence, 3),
        entry(sequence, 4),
        done(message),
      );
    });
    const offered: [bytes: number, index: number][] = [];
    const taken: [byte: number, index: number][] = [];
    const sequences = new Set<number>();
    const count = await client.dumpInto(request(), {
      takeKnown: (datagram, sequence, index) => {
        sequences.add(sequence);
        offered.push([datagram.length, index]);
        return index === 0 ? 2 : index === 3 ? 1 : 0;
      },
      take: (message, index) => {
        sequences.add(message.sequence);
        taken.push([firstByte(message), index]);
      },
    });
    expect(count).toEqual({ ok: true, value: 4 });
    // The last is NLMSG_DONE.
    expect(offered).toEqual([
      [40, 0],
      [20, 2],
      [20, 3],
      [20, 4],
    ]);
    expect(taken).toEqual([[3, 2]]);
    expect(sequences.size).toBe(1);
  });

  it('end an exchange when who may know them fails', async () => {
    const { client } = clientOver(([message], socket) => {
      if (message !== undefined) socket.deliver(concatenated(entry(message.sequence, 1), done(message)));
    });
    const outcome = await client.dumpInto(request(), {
      takeKnown: () => {
        throw new DecodeError('nonsense', 3);
      },
      take: () => undefined,
    });
    expect(outcome.ok ? '' : outcome.error.code).toBe('NETLINK_MALFORMED');
  });

  it('report the kernel’s refusal by name', async () => {
    const { client } = clientOver(([message], socket) => {
      if (message !== undefined) socket.deliver(acknowledgement(message, 2));
    });
    const outcome = await client.dump(request(), firstByte);
    expect(outcome.ok ? '' : errnoOf(outcome.error)).toBe('ENOENT');
  });

  it('are bounded', async () => {
    const { client, kernel } = clientOver(
      ([message], socket) => {
        if (message === undefined) return;
        const entries = Array.from({ length: 11 }, (_, index) => entry(message.sequence, index));
        socket.deliver(concatenated(...entries), done(message));
      },
      { dumpEntries: 10 },
    );
    const outcome = await client.dump(request(), firstByte);
    expect(outcome.ok ? '' : outcome.error.code).toBe('NETLINK_MALFORMED');
    expect(kernel.sockets[0]?.closed).toBe(true);
  });

  it('turn an entry that does not decode into an error, and the next dump works', async () => {
    const { client } = clientOver(([message], socket) => {
      if (message !== undefined) socket.deliver(concatenated(entry(message.sequence, 9), done(message)));
    });
    const outcome = await client.dump(request(), () => {
      throw new DecodeError('nonsense', 3);
    });
    expect(outcome.ok ? '' : outcome.error.code).toBe('NETLINK_MALFORMED');
    expect(await client.dump(request(), firstByte)).toEqual({ ok: true, value: [9] });
  });
});

describe('closing', () => {
  it('ends what is under way and refuses what comes after', async () => {
    const { client, kernel, clock } = clientOver(() => undefined);
    const outcome = client.request([request()]);
    await settle();
    await client.close();
    expect((await outcome).lost?.code).toBe('NETLINK_LOST');
    expect((await client.request([request()])).lost).not.toBeNull();
    expect(kernel.sockets.map(({ closed }) => closed)).toEqual([true]);
    expect(clock.pendingTimers).toBe(0);
  });
});
