import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../src/core/bytes.ts';
import { ForgettingDataplane, flowsOf } from '../../../src/ipvs/conntrack/forgetting-dataplane.ts';
import { flowMatcher } from '../../../src/ipvs/conntrack/flows.ts';
import type { Conntrack, FlowTarget } from '../../../src/ipvs/conntrack/flows.ts';
import { flowsRequest, forgetRequest, readFlow } from '../../../src/ipvs/conntrack/messages.ts';
import type { DumpedFlow } from '../../../src/ipvs/conntrack/messages.ts';
import { NetlinkConntrack } from '../../../src/ipvs/conntrack/netlink-conntrack.ts';
import { CodedError } from '../../../src/core/errors.ts';
import { err, ok } from '../../../src/core/result.ts';
import { KernelRefusal } from '../../../src/ipvs/kernel-refusal.ts';
import { MemoryDataplane } from '../../../src/ipvs/memory-dataplane.ts';
import { readMessages, writeMessage } from '../../../src/ipvs/netlink/message.ts';
import type { NetlinkRequest } from '../../../src/ipvs/netlink/message.ts';
import { addReal, addService, address, match, real, service } from '../../contract/dataplane-samples.ts';
import { fromHex, toHex } from '../../fakes/hex.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { acknowledgement, done, FakeNetlink, netlinkMessage } from '../../fakes/netlink-kernel.ts';
import type { SeenMessage } from '../../fakes/netlink-kernel.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';
import { CONNTRACK_CAPTURES } from '../../vectors/conntrack-captures.ts';

const [list, deletion, deletion6] = CONNTRACK_CAPTURES;
if (list === undefined || deletion === undefined || deletion6 === undefined) throw new Error('captures are missing');

const NLM_F_REQUEST_ACK = 0x05;

function payloadsIn(hexes: readonly string[]) {
  return hexes.flatMap((hex) => [...readMessages(fromHex(hex))]).filter(({ type }) => type === 0x0100);
}

const FLOWS = payloadsIn(list.received).map(({ payload }) => readFlow(payload));

const known = (flow: DumpedFlow | null | undefined): DumpedFlow => {
  if (flow === null || flow === undefined) throw new Error('a flow of the capture was not read');
  return flow;
};

/** Without length, sequence and port number. */
function encoded(request: NetlinkRequest): string {
  const writer = new ByteWriter();
  writeMessage(writer, request, NLM_F_REQUEST_ACK, 0);
  return toHex(writer.finish());
}

const bare = (hex: string): string => `${hex.slice(8, 16)} ${hex.slice(32)}`;

describe('tracked flows on the wire', () => {
  it('are read as the kernel dumps them', () => {
    const seen = FLOWS.map((flow) => {
      const { family, protocol, client, service: called, real: answering } = known(flow);
      return { family, protocol, client, service: called, real: answering };
    });
    expect(seen).toEqual([
      {
        family: 'ipv4',
        protocol: 'udp',
        client: { address: '198.51.100.7', port: 4000 },
        service: { address: '192.0.2.1', port: 53 },
        real: { address: '10.1.0.2', port: 5353 },
      },
      {
        family: 'ipv6',
        protocol: 'udp',
        client: { address: '2001:db8::7', port: 4000 },
        service: { address: '2001:db8:1::1', port: 53 },
        real: { address: '2001:db8:2::2', port: 53 },
      },
      {
        family: 'ipv4',
        protocol: 'tcp',
        client: { address: '198.51.100.8', port: 4001 },
        service: { address: '192.0.2.1', port: 80 },
        real: { address: '10.1.0.3', port: 8080 },
      },
    ]);
  });

  it('are asked for with the bytes of conntrack(8)', () => {
    const writer = new ByteWriter();
    writeMessage(writer, flowsRequest, 0x301, 0);
    expect(bare(toHex(writer.finish()))).toBe(bare(list.sent[0] ?? ''));
  });

  it.each([
    ['IPv4', 0, deletion],
    ['IPv6', 1, deletion6],
  ] as const)('are deleted as conntrack(8) does: %s', (_, at, capture) => {
    const theirs = bare(capture.sent[1] ?? '');
    const { id, ...flow } = known(FLOWS[at]);
    // conntrack(8) sends more about the flow than its name; it does not send the id.
    const ours = bare(encoded(forgetRequest({ ...flow, id: undefined })));
    expect(theirs.startsWith(ours)).toBe(true);
    expect(ours).toContain(at === 0 ? 'c6336407' : '20010db8000000000000000000000007');
    expect(bare(encoded(forgetRequest({ ...flow, id })))).toBe(`${ours}08000c00${toHex(id ?? new Uint8Array())}`);
  });
});

describe('which flows go to a target', () => {
  const [dns] = FLOWS;
  const called = { address: address('192.0.2.1'), port: 53 };
  const answering = { address: address('10.1.0.2'), port: 5353 };
  const matches = (target: FlowTarget): boolean => flowMatcher([target])(known(dns));

  it('goes by service, by real, by both, and by any port', () => {
    expect(matches({ protocol: 'udp', service: called, real: null })).toBe(true);
    expect(matches({ protocol: 'udp', service: null, real: answering })).toBe(true);
    expect(matches({ protocol: 'udp', service: called, real: answering })).toBe(true);
    expect(matches({ protocol: 'udp', service: null, real: { ...answering, port: 0 } })).toBe(true);
    expect(matches({ protocol: 'udp', service: { ...called, port: 0 }, real: answering })).toBe(true);
  });

  it('does not reach further', () => {
    expect(matches({ protocol: 'tcp', service: called, real: answering })).toBe(false);
    expect(matches({ protocol: 'udp', service: { ...called, port: 54 }, real: answering })).toBe(false);
    expect(matches({ protocol: 'udp', service: called, real: { ...answering, port: 53 } })).toBe(false);
    expect(matches({ protocol: 'udp', service: null, real: { ...answering, address: address('10.1.0.9') } })).toBe(
      false,
    );
  });
});

/** A kernel that tracks the flows of the capture and filters nothing, as those before Linux 5.8. */
function trackingKernel(refusal = 0) {
  const deleted: SeenMessage[] = [];
  const kernel = new FakeNetlink((messages, socket) => {
    for (const message of messages) {
      if (message.type === 0x0102) {
        deleted.push(message);
        socket.deliver(acknowledgement(message, refusal));
        continue;
      }
      for (const { payload } of payloadsIn(list?.received ?? [])) {
        socket.deliver(netlinkMessage(0x0100, 0x02, message.sequence, payload.bytes(payload.remaining)));
      }
      socket.deliver(done(message));
    }
  });
  return { deleted, kernel, conntrack: new NetlinkConntrack({ open: kernel.open, clock: new ManualClock() }) };
}

const DNS: FlowTarget = { protocol: 'udp', service: null, real: { address: address('10.1.0.2'), port: 5353 } };

describe('the connection tracking', () => {
  it('is counted by service and real', async () => {
    const counts = await trackingKernel().conntrack.count();
    const seen = counts.ok ? (counts.value ?? []) : [];
    expect(
      seen.map(({ protocol, real: { port }, flows, established }) => `${protocol} ${port} ${flows} ${established}`),
    ).toEqual(['udp 5353 1 0', 'udp 53 1 0', 'tcp 8080 1 1']);
  });

  it('forgets what goes to the target, and nothing else that the kernel sends', async () => {
    const { conntrack, deleted } = trackingKernel();
    expect(await conntrack.forget([DNS])).toEqual(ok(1));
    expect(deleted.map(({ payload }) => toHex(payload).includes('c6336407'))).toEqual([true]);
  });

  it('reads the table once for many targets', async () => {
    const { conntrack, kernel, deleted } = trackingKernel();
    const many = Array.from({ length: 200 }, (_, index): FlowTarget => ({
      ...DNS,
      real: { address: address('10.1.0.2'), port: 5300 + index },
    }));
    expect(await conntrack.forget(many)).toEqual(ok(1));
    expect(deleted.length).toBe(1);
    expect(kernel.sent.length).toBe(2);
  });

  it('does not mind a flow that ended by itself', async () => {
    expect(await trackingKernel(2).conntrack.forget([DNS])).toEqual(ok(0));
  });

  it('tells of a refusal', async () => {
    const refused = await trackingKernel(1).conntrack.forget([DNS]);
    expect(refused.ok ? '' : refused.error.message).toContain('EPERM');
  });

  it('is empty in a kernel that has none of it', async () => {
    const mute = new FakeNetlink((messages, socket) => {
      for (const message of messages) socket.deliver(acknowledgement(message, 22));
    });
    const without = new NetlinkConntrack({ open: mute.open, clock: new ManualClock() });
    expect(await without.forget([DNS])).toEqual(ok(0));
    expect(await without.count()).toEqual(ok(null));
    const noSocket = new KernelRefusal('EPROTONOSUPPORT', 'no nfnetlink', { code: 'NETLINK_UNAVAILABLE' });
    const nothing = new NetlinkConntrack({ open: () => err(noSocket), clock: new ManualClock() });
    expect(await nothing.forget([DNS])).toEqual(ok(0));
  });
});

const UDP = match('udp', '192.0.2.1', 53);
const TCP = match('tcp', '192.0.2.1', 80);

describe('a dataplane that forgets', () => {
  const removal = (of = UDP) =>
    ({ kind: 'deleteDestination', match: of, address: address('10.1.0.2'), port: 5353 }) as const;

  it('names the flows of what went, of UDP and of firewall marks', () => {
    const fwmark = { kind: 'fwmark', family: 'ipv4', fwmark: 7 } as const;
    expect(
      flowsOf([
        removal(),
        removal(TCP),
        { ...removal(), match: fwmark },
        { kind: 'deleteService', match: UDP },
        { kind: 'deleteService', match: TCP },
        { kind: 'deleteService', match: fwmark },
        addReal(UDP, real('10.1.0.3', 53)),
      ]),
    ).toEqual([
      { protocol: 'udp', service: { address: '192.0.2.1', port: 53 }, real: { address: '10.1.0.2', port: 5353 } },
      { protocol: 'udp', service: null, real: { address: '10.1.0.2', port: 5353 } },
      { protocol: 'udp', service: { address: '192.0.2.1', port: 53 }, real: null },
    ]);
  });

  it('asks after what was applied only, and again after a failure', async () => {
    const asked: (readonly FlowTarget[])[] = [];
    let fail = false;
    const conntrack: Conntrack = {
      count: () => Promise.resolve(ok([])),
      forget: (targets) => {
        asked.push(targets);
        return Promise.resolve(fail ? err(new CodedError('NETLINK_LOST', 'lost')) : ok(targets.length));
      },
      close: () => Promise.resolve(),
    };
    const log = new RecordingLog();
    const dataplane = new ForgettingDataplane({ inner: new MemoryDataplane(), conntrack, log });
    await dataplane.apply([addService(service(UDP)), addReal(UDP, real('10.1.0.2', 5353)), removal(TCP)]);
    expect(asked).toEqual([]);
    fail = true;
    const report = await dataplane.apply([removal(), removal()]);
    expect([report.applied.length, report.failed.length]).toEqual([1, 1]);
    expect(asked.map((targets) => targets.length)).toEqual([1]);
    fail = false;
    await dataplane.read();
    await dataplane.read();
    expect(asked.map((targets) => targets.length)).toEqual([1, 1]);
  });
});
