import { describe, expect, it } from 'vitest';
import { ByteReader, ByteWriter } from '../../../src/core/bytes.ts';
import { COMMAND } from '../../../src/ipvs/attributes.ts';
import type { DataplaneOp } from '../../../src/ipvs/dataplane.ts';
import { readTable } from '../../../src/ipvs/netlink/attribute-table.ts';
import { NLM_F_ACK, NLM_F_MULTI, NLM_F_REQUEST, NLMSG_DONE, NLMSG_ERROR } from '../../../src/ipvs/netlink/constants.ts';
import { EntryLayout } from '../../../src/ipvs/entry-layout.ts';
import { NetlinkClient } from '../../../src/ipvs/netlink/client.ts';
import { GENL_HEADER_LENGTH, resolveFamily } from '../../../src/ipvs/netlink/family.ts';
import { readAcknowledgement, readDone, readMessages, writeMessage } from '../../../src/ipvs/netlink/message.ts';
import type { NetlinkMessage, NetlinkRequest } from '../../../src/ipvs/netlink/message.ts';
import { readDestination, readInfo, readService } from '../../../src/ipvs/replies.ts';
import { NO_TRAFFIC } from '../../../src/ipvs/traffic.ts';
import { IpvsRequests } from '../../../src/ipvs/requests.ts';
import { SCHEDULERS } from '../../../src/model/records/service.ts';
import {
  addReal,
  addService,
  deleteReal,
  deleteService,
  editReal,
  editService,
  fwmark,
  match,
  real,
  service,
  tunnel,
} from '../../contract/dataplane-samples.ts';
import { fromHex, toHex } from '../../fakes/hex.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { FakeNetlink } from '../../fakes/netlink-kernel.ts';
import { CAPTURED_FAMILY_ID, CAPTURES, GET_INFO, RESOLVE_FAMILY } from '../../vectors/ipvs-captures.ts';
import type { Capture } from '../../vectors/ipvs-captures.ts';
import { ADDRESS_CAPTURES } from '../../vectors/rtnetlink-captures.ts';

const REQUESTS = new IpvsRequests(CAPTURED_FAMILY_ID);
const WEB = match('tcp', '10.0.0.1', 80);
const WEB6 = match('tcp', '2001:db8::1', 443);
const MARK6 = fwmark(7, 'ipv6');

/** The operation that each captured command line means. */
const OPERATIONS: Readonly<Record<string, DataplaneOp>> = {
  '-A -t 10.0.0.1:80 -s wlc': addService(service(WEB)),
  '-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 5 -x 100 -y 50': addReal(
    WEB,
    real('10.1.0.1', 8080, { weight: 5, upperThreshold: 100, lowerThreshold: 50 }),
  ),
  '-a -t 10.0.0.1:80 -r [2001:db8::7]:80 -i -w 2 --tun-type gue --tun-port 6080 --tun-remcsum': addReal(
    WEB,
    real('2001:db8::7', 80, { weight: 2, forwarding: tunnel('gue', 6080, 'remote') }),
  ),
  '-a -t 10.0.0.1:80 -r 10.1.0.3:80 -i -w 2147483647 --tun-type gre --tun-csum': addReal(
    WEB,
    real('10.1.0.3', 80, { weight: 2_147_483_647, forwarding: tunnel('gre', 0, 'full') }),
  ),
  '-A -f 7 -6 -s wrr -p 300 -M 64': addService(
    service(MARK6, { scheduler: 'wrr', persistence: { timeoutSeconds: 300, prefixLength: 64 } }),
  ),
  '-a -f 7 -6 -r [2001:db8::9]:0 -g -w 0': addReal(
    MARK6,
    real('2001:db8::9', 0, { weight: 0, forwarding: { method: 'direct' } }),
  ),
  '-A -t [2001:db8::1]:443 -s mh -b mh-port': addService(service(WEB6, { scheduler: 'mh', schedulerFlags: 2 })),
  '-E -t 10.0.0.1:80 -s rr -p 360 -M 255.255.255.0': editService(
    service(WEB, { scheduler: 'rr', persistence: { timeoutSeconds: 360, prefixLength: 24 } }),
  ),
  '-e -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 0': editReal(WEB, real('10.1.0.1', 8080, { weight: 0 })),
  '-d -t 10.0.0.1:80 -r 10.1.0.3:80': deleteReal(WEB, '10.1.0.3', 80),
  '-A -u 10.0.0.1:5060 -s rr -o -p 60 --pe sip': addService(
    service(match('udp', '10.0.0.1', 5060), {
      scheduler: 'rr',
      onePacket: true,
      persistence: { timeoutSeconds: 60, prefixLength: 32 },
      persistenceEngine: 'sip',
    }),
  ),
  '-A --sctp-service 10.0.0.1:53 -s sh -b sh-fallback,sh-port': addService(
    service(match('sctp', '10.0.0.1', 53), { scheduler: 'sh', schedulerFlags: 3 }),
  ),
  '-A -t 10.0.0.99:80 -s nosuch': addService(service(match('tcp', '10.0.0.99', 80), { scheduler: 'nosuch' })),
  '-d -t 10.0.0.1:80 -r 10.1.0.99:80': deleteReal(WEB, '10.1.0.99', 80),
  '-D -t 10.0.0.98:80': deleteService(match('tcp', '10.0.0.98', 80)),
  '-D -t [2001:db8::1]:443': deleteService(WEB6),
  '-D -f 7 -6': deleteService(MARK6),
};

function messagesIn(hex: string): NetlinkMessage[] {
  return [...readMessages(fromHex(hex))];
}

function only<T>(items: readonly T[]): T {
  const [item] = items;
  if (item === undefined || items.length !== 1) throw new Error(`${items.length} items where one was expected`);
  return item;
}

/** The message with ipvsadm's sequence and port numbers put back to zero. */
function withoutNumbers(hex: string): string {
  return `${hex.slice(0, 16)}${'0'.repeat(16)}${hex.slice(32)}`;
}

function encoded(request: NetlinkRequest, flags = NLM_F_REQUEST | NLM_F_ACK): string {
  const writer = new ByteWriter();
  writeMessage(writer, request, flags, 0);
  return toHex(writer.finish());
}

function attributesIn(hex: string) {
  const { payload } = only(messagesIn(hex));
  const command = payload.u8();
  payload.skip(GENL_HEADER_LENGTH - 1);
  return { command, ...readTable(payload, COMMAND) };
}

const isOnService = (capture: Capture): boolean => /^-[AED] /.test(capture.command);
const withOperation = CAPTURES.flatMap((capture) => {
  const op = OPERATIONS[capture.command];
  return op === undefined ? [] : [{ ...capture, op }];
});

describe('requests', () => {
  it('cover every captured command but the listing', () => {
    expect(CAPTURES.length - withOperation.length).toBe(1);
    expect(withOperation.filter(isOnService).length).toBeGreaterThanOrEqual(10);
  });

  it.each(withOperation.filter(({ command }) => /^-[AE] /.test(command)))(
    'are byte for byte what ipvsadm sends: $command',
    ({ op, sent }) => {
      // ipvsadm claims every flag bit; we only those that we mean.
      const theirs = withoutNumbers(only(sent)).replace(/(0c000700.{8})ffffffff/, '$13d000000');
      const ours = encoded(REQUESTS.carryOut(op));
      // The engine's name stands elsewhere in ipvsadm's order, which means nothing to the kernel.
      if (op.kind === 'addService' && op.service.persistenceEngine !== null) {
        expect(attributesIn(ours)).toEqual(attributesIn(theirs));
      } else {
        expect(ours).toBe(theirs);
      }
    },
  );

  it.each(SCHEDULERS)('name scheduler %s, whether or not a kernel has it', (scheduler) => {
    const writer = new ByteWriter(256);
    REQUESTS.carryOut(addService(service(WEB, { scheduler }))).writePayload(writer);
    const reader = new ByteReader(writer.finish());
    reader.skip(GENL_HEADER_LENGTH);
    expect(readTable(reader, COMMAND).service?.scheduler).toBe(scheduler);
  });

  it.each(withOperation.filter(({ command }) => /^-[aedD] /.test(command)))(
    'say all that matters of what ipvsadm sends: $command',
    ({ op, sent }) => {
      const ours = attributesIn(encoded(REQUESTS.carryOut(op)));
      const theirs = attributesIn(only(sent));
      expect(ours.command).toBe(theirs.command);
      // ipvsadm adds a service's options where the kernel looks only at its identity.
      expect(theirs.service).toMatchObject(ours.service ?? {});
      expect(theirs.destination ?? {}).toMatchObject(ours.destination ?? {});
      expect(Object.keys(ours.service ?? {}).length).toBe('fwmark' in (ours.service ?? {}) ? 2 : 4);
    },
  );

  it('for dumps are byte for byte what ipvsadm sends', () => {
    const listing = only(CAPTURES.filter(({ command }) => command === '-Ln'));
    const dump = NLM_F_REQUEST | NLM_F_ACK | 0x300;
    const theirs = listing.sent.map(withoutNumbers);
    expect(encoded(REQUESTS.services(), dump)).toBe(theirs[0]);
    expect(theirs).toContain(encoded(REQUESTS.destinationsOf(WEB), dump));
    expect(theirs).toContain(encoded(REQUESTS.destinationsOf(MARK6), dump));
  });
});

describe('the question for version and size', () => {
  it('is byte for byte what ipvsadm sends', () => {
    expect(encoded(REQUESTS.info())).toBe(withoutNumbers(only(GET_INFO.sent)));
  });

  it('is answered in the words that ipvsadm prints', () => {
    const { payload } = only(messagesIn(only(GET_INFO.received)));
    expect(readInfo(payload)).toEqual({ version: '1.2.1', connectionTableSize: 4_096 });
  });
});

describe('replies', () => {
  const listing = only(CAPTURES.filter(({ command }) => command === '-Ln'));
  const [services = '', servicesDone = '', webReals = '', webDone = ''] = listing.received;

  it('tell every service that ipvsadm listed', () => {
    const found = messagesIn(services);
    expect(found.map(({ payload }) => readService(payload.ahead()))).toEqual([
      service(WEB, { scheduler: 'rr', persistence: { timeoutSeconds: 360, prefixLength: 24 } }),
      service(WEB6, { scheduler: 'mh', schedulerFlags: 2 }),
      service(match('udp', '10.0.0.1', 5060), {
        scheduler: 'rr',
        onePacket: true,
        persistence: { timeoutSeconds: 60, prefixLength: 32 },
        persistenceEngine: 'sip',
      }),
      service(match('sctp', '10.0.0.1', 53), { scheduler: 'sh', schedulerFlags: 3 }),
      service(MARK6, { scheduler: 'wrr', persistence: { timeoutSeconds: 300, prefixLength: 64 } }),
    ]);
    expect(found.map(({ payload }) => new EntryLayout(payload).statsIn(payload, 0))).toEqual(
      found.map(() => NO_TRAFFIC),
    );
    expect(only(messagesIn(servicesDone)).type).toBe(NLMSG_DONE);
    expect(readDone(only(messagesIn(servicesDone)))).toEqual({ errno: 0, text: null });
  });

  it('tell every real that ipvsadm listed', () => {
    const reals = messagesIn(webReals);
    expect(reals.map(({ payload }) => readDestination(payload.ahead(), 'ipv4'))).toEqual([
      real('2001:db8::7', 80, { weight: 2, forwarding: tunnel('gue', 6080, 'remote') }),
      real('10.1.0.1', 8080, { weight: 0 }),
    ]);
    const stats = reals.map(({ payload }) => new EntryLayout(payload).statsIn(payload, 0));
    expect(stats).toEqual([NO_TRAFFIC, NO_TRAFFIC]);
    expect(only(messagesIn(webDone)).flags & NLM_F_MULTI).toBe(NLM_F_MULTI);
    const ofMark = listing.received.at(-2) ?? '';
    const [marked] = messagesIn(ofMark).map(({ payload }) => readDestination(payload, 'ipv6'));
    expect(marked).toEqual(real('2001:db8::9', 0, { weight: 0, forwarding: { method: 'direct' } }));
  });

  it('pass over what the port has no words for', () => {
    // Protocol 6 in the first service becomes 50, and the tunnel (2) of a real becomes cache bypass (4).
    const [oddService] = messagesIn(services.replace('0600020006000000', '0600020032000000'));
    const odd = messagesIn(webReals.replace('0800030002000000', '0800030004000000'));
    expect(oddService && readService(oddService.payload)).toBeNull();
    expect(odd.map(({ payload }) => readDestination(payload, 'ipv4')).filter((each) => each === null).length).toBe(1);
  });

  it('read 64-bit counters and rates', () => {
    // IPVS_STATS_ATTR_CONNS and IPVS_STATS_ATTR_OUTBPS of the 64-bit set, as the kernel wrote them, with values put in.
    const written = services
      .replace('0c0001000000000000000000', '0c000100ffffffffffffff7f')
      .replace('0c000a000000000000000000', '0c000a002a00000000000000');
    const [first] = messagesIn(written);
    const stats = first && new EntryLayout(first.payload).statsIn(first.payload, 0);
    expect(stats).toEqual({ ...NO_TRAFFIC, connections: 0x7fff_ffff_ffff_ffffn, outBytesPerSecond: 42 });
  });

  it('that say too little are errors', () => {
    const [withoutPort] = messagesIn(webReals.replace('0600020000500000', '0600700000500000'));
    expect(() => withoutPort && readDestination(withoutPort.payload, 'ipv4')).toThrow('the port is missing');
    const [withoutAddress] = messagesIn(services.replace('14000300', '14007000'));
    expect(() => withoutAddress && readService(withoutAddress.payload)).toThrow('the address is missing');
  });
});

describe('acknowledgements', () => {
  const received = (command: string): string =>
    only(only(CAPTURES.filter((each) => each.command === command)).received);

  it('are read with and without an error, capped and whole', () => {
    const good = only(messagesIn(received('-D -f 7 -6')));
    expect(good.type).toBe(NLMSG_ERROR);
    expect(readAcknowledgement(good)).toEqual({ errno: 0, text: null });
    const refused = only(messagesIn(received('-A -t 10.0.0.99:80 -s nosuch')));
    expect(readAcknowledgement(refused)).toEqual({ errno: 2, text: null });
    const gone = only(messagesIn(received('-D -t 10.0.0.98:80')));
    expect(readAcknowledgement(gone)).toEqual({ errno: 3, text: null });
  });

  it('carry the kernel’s own words (extended ACK)', () => {
    const [notFound, , , exists] = ADDRESS_CAPTURES.slice(0, 4).map((each) =>
      only(messagesIn(only(each.received.slice(0, 1)))),
    );
    expect(notFound && readAcknowledgement(notFound)).toEqual({ errno: 99, text: 'ipv4: Address not found' });
    expect(exists && readAcknowledgement(exists)).toEqual({ errno: 17, text: 'ipv6: address already assigned' });
  });

  it('tell the number of the family', async () => {
    const kernel = new FakeNetlink(([message], socket) => {
      const sequence = message?.sequence ?? 0;
      expect(toHex(message?.payload ?? new Uint8Array())).toBe(
        only(RESOLVE_FAMILY.sent).slice(32).replace(/^0301/, '0302'),
      );
      socket.deliver(...RESOLVE_FAMILY.received.map((hex) => withSequence(hex, sequence)));
    });
    const client = new NetlinkClient({ open: kernel.open, clock: new ManualClock() });
    expect(await resolveFamily(client, 'IPVS')).toEqual({ ok: true, value: CAPTURED_FAMILY_ID });
  });
});

describe('framing', () => {
  it('refuses lengths that lie', () => {
    const whole = only(only(CAPTURES.slice(0, 1)).sent);
    for (const length of ['00', '0f', '69', 'ff']) {
      expect(() => messagesIn(`${length}${whole.slice(2)}`), length).toThrow();
    }
    // The nested attribute claims one byte more than the message has.
    expect(() => attributesIn(whole.replace('54000180', '55000180'))).toThrow();
    expect(() => attributesIn(whole.replace('06000100', '03000100'))).toThrow();
  });
});

function withSequence(hex: string, sequence: number): Uint8Array {
  const bytes = fromHex(hex);
  new DataView(bytes.buffer).setUint32(8, sequence, true);
  return bytes;
}
