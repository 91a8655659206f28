import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { chooseTransport } from '../../../src/ipvs/netlink/choose-transport.ts';
import { NetlinkClient } from '../../../src/ipvs/netlink/client.ts';
import { GENL_ID_CTRL, NETLINK_GENERIC } from '../../../src/ipvs/netlink/constants.ts';
import { resolveFamily } from '../../../src/ipvs/netlink/family.ts';
import { polledTransport } from '../../../src/ipvs/netlink/polled-transport.ts';
import { streamTransport } from '../../../src/ipvs/netlink/stream-transport.ts';
import { errnoOf } from '../../../src/ipvs/kernel-refusal.ts';

// Every kernel answers these questions to everybody, so they need neither root nor IPVS.
const TRANSPORTS = [
  ['stream', streamTransport(NETLINK_GENERIC)],
  ['polled', polledTransport(NETLINK_GENERIC, systemClock)],
] as const;

describe.each(TRANSPORTS)('%s transport', (_name, open) => {
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
    // A command that the controller lacks.
    const unknown = {
      type: GENL_ID_CTRL,
      writePayload: (writer: { u32le(value: number): unknown }) => void writer.u32le(99),
    };
    const { answers, lost } = await client.request(Array.from({ length: 1_000 }, () => unknown));
    expect(lost).toBeNull();
    expect(answers.length).toBe(1_000);
    expect(answers.every(({ errno }) => errno === 95)).toBe(true);
    await client.close();
  });

  it('delivers nothing after it was closed', async () => {
    let heard = 0;
    const opened = open({ onDatagram: () => heard++, onFailure: () => heard++ });
    if (!opened.ok) throw opened.error;
    opened.value.close();
    opened.value.close();
    opened.value.send(new Uint8Array(16));
    await new Promise((resolve) => setImmediate(resolve));
    expect(heard).toBe(0);
  });
});

describe('the choice', () => {
  it('falls on the stream where it works', async () => {
    const transports = await chooseTransport({ clock: systemClock, log: silentLog });
    expect(transports.kind).toBe('stream');
  });
});
