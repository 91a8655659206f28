import { describe, expect, it } from 'vitest';
import { systemClock } from '../../../src/core/system-clock.ts';
import { NetlinkClient } from '../../../src/ipvs/netlink/client.ts';
import { GENL_ID_CTRL, NETLINK_GENERIC } from '../../../src/ipvs/netlink/constants.ts';
import { resolveFamily } from '../../../src/ipvs/netlink/family.ts';
import type { NetlinkRequest } from '../../../src/ipvs/netlink/message.ts';
import { socketTransport } from '../../../src/ipvs/netlink/socket-transport.ts';
import { errnoOf } from '../../../src/ipvs/kernel-refusal.ts';

// Every kernel answers these questions to everybody, so they need neither root nor IPVS.
const open = socketTransport(NETLINK_GENERIC, systemClock);

// A command that the controller lacks.
const unknownCommand: NetlinkRequest = {
  type: GENL_ID_CTRL,
  writePayload: (writer) => {
    writer.u32le(99);
  },
};

describe('the socket', () => {
  it('asks the kernel and gets its answer', async () => {
    const client = new NetlinkClient({ open, clock: systemClock });
    expect(await resolveFamily(client, 'nlctrl')).toEqual({ ok: true, value: GENL_ID_CTRL });
    await client.close();
  });

  it('carries refusals with the kernel’s words', async () => {
    const client = new NetlinkClient({ open, clock: systemClock });
    const answer = await resolveFamily(client, 'no-such-family');
    expect(answer.ok ? '' : errnoOf(answer.error)).toBe('ENOENT');
    await client.close();
  });

  it('carries many batches, each message answered', async () => {
    const client = new NetlinkClient({ open, clock: systemClock });
    const { answers, lost } = await client.request(Array.from({ length: 1_000 }, () => unknownCommand));
    expect(lost).toBeNull();
    expect(answers.length).toBe(1_000);
    expect(answers.every(({ errno }) => errno === 95)).toBe(true);
    await client.close();
  });

  it('lets the event loop turn between two batches', async () => {
    const client = new NetlinkClient({ open, clock: systemClock, limits: { batchMessages: 10 } });
    let turns = 0;
    let going = true;
    const count = (): void => {
      turns++;
      if (going) setImmediate(count);
    };
    setImmediate(count);
    await client.request(Array.from({ length: 100 }, () => unknownCommand));
    going = false;
    expect(turns).toBeGreaterThanOrEqual(10);
    await client.close();
  });

  it('delivers nothing after it was closed', async () => {
    let heard = 0;
    const opened = open({ onDatagram: () => ++heard > 0, onFailure: () => ++heard });
    if (!opened.ok) throw opened.error;
    opened.value.close();
    opened.value.close();
    opened.value.send(new Uint8Array(16));
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toBe(0);
  });
});
