import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/system-clock.ts';
import { ok } from '../../../src/core/result.ts';
import { NetlinkClient } from '../../../src/ipvs/netlink/client.ts';
import { CTRL_CMD_GETFAMILY, GENL_ID_CTRL, NETLINK_GENERIC } from '../../../src/ipvs/netlink/constants.ts';
import { resolveFamily, writeGenericHeader } from '../../../src/ipvs/netlink/family.ts';
import type { NetlinkRequest } from '../../../src/ipvs/netlink/message.ts';
import { socketTransport } from '../../../src/ipvs/netlink/socket-transport.ts';
import type { OpenTransport } from '../../../src/ipvs/netlink/transport.ts';

/** The kernel rounds it up to its least, which holds the answers to a few messages only. */
const TINY_BUFFER = 1;

// A question that is refused, so that each message has an answer of its own.
const question: NetlinkRequest = {
  type: GENL_ID_CTRL,
  writePayload: (writer) => {
    writeGenericHeader(writer, CTRL_CMD_GETFAMILY, 2);
  },
};

const open = socketTransport(NETLINK_GENERIC, systemClock, TINY_BUFFER);

/** A socket that boasts: more is sent than its buffer has room for the answers to. */
const boasting: OpenTransport = (events) => {
  const opened = open(events);
  return opened.ok ? ok({ ...opened.value, receiveBufferBytes: 1 << 30 }) : opened;
};

describe('a small receive buffer', () => {
  it('gets no more messages at once than it has room for the answers to', async () => {
    const client = new NetlinkClient({ open, clock: systemClock, limits: { batchMessages: 500 } });
    const { answers, lost } = await client.request(Array.from({ length: 500 }, () => question));
    expect(lost).toBeNull();
    expect(answers.length).toBe(500);
    expect(client.counters.lost).toBe(0);
    await client.close();
  });
});

describe('a receive buffer that overruns', () => {
  it('loses the answers with ENOBUFS, says so, and the next exchange has a new socket', async () => {
    const client = new NetlinkClient({ open: boasting, clock: systemClock, limits: { batchMessages: 500 } });
    const { answers, lost } = await client.request(Array.from({ length: 500 }, () => question));
    expect(lost?.code).toBe('NETLINK_LOST');
    expect(lost?.message).toContain('ENOBUFS');
    expect(lost?.transient).toBe(true);
    expect(answers.length).toBeLessThan(500);
    expect(client.counters.lost).toBe(1);

    expect(await resolveFamily(client, 'nlctrl')).toEqual({ ok: true, value: GENL_ID_CTRL });
    await client.close();
  });
});
