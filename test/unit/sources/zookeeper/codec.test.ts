import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, DecodeError } from '../../../../src/core/bytes.ts';
import {
  addRecursiveWatch,
  create,
  decodeWatchEvent,
  exists,
  getChildren,
  getData,
  sync,
} from '../../../../src/sources/zookeeper/calls.ts';
import type { Call } from '../../../../src/sources/zookeeper/calls.ts';
import { packet } from '../../../../src/sources/zookeeper/jute.ts';
import {
  decodeReplyHeader,
  decodeWelcome,
  encodeAuth,
  encodeCloseSession,
  encodeGreeting,
  encodePing,
} from '../../../../src/sources/zookeeper/messages.ts';
import { multi, multiGetChildren, multiGetData } from '../../../../src/sources/zookeeper/multi.ts';
import { CREATOR_ACL, OPEN_ACL } from '../../../../src/sources/zookeeper/acl.ts';
import { CREATE } from '../../../../src/sources/zookeeper/protocol.ts';
import { runs } from '../../../fakes/property.ts';
import { int, recorded } from '../../../fakes/zookeeper-bytes.ts';

const packets = recorded();
const bytesOf = (name: string): Buffer => {
  const bytes = packets.get(name);
  if (bytes === undefined) throw new Error(`nothing recorded as ${name}`);
  return bytes;
};
const utf8 = (text: string): Uint8Array => Buffer.from(text);
const NONE = new Uint8Array(0);
const HEADER = 16;

function hexOf(packetBytes: Uint8Array): string {
  return Buffer.from(packetBytes).subarray(4).toString('hex');
}

function requestHex(call: Call<unknown>, xid: number): string {
  return hexOf(
    packet((writer) => {
      writer.i32be(xid).i32be(call.op);
      call.encode(writer);
    }),
  );
}

function decodeBody<T>(call: Call<T>, body: Uint8Array): T {
  const reader = new ByteReader(body);
  const value = call.decode(reader);
  reader.expectEnd(call.what);
  return value;
}

const SESSION = decodeWelcome(new ByteReader(bytesOf('welcome'))).identity.id;
const T = { czxid: 2n, ephemeralOwner: 0n };
const E = { czxid: 3n, mzxid: 3n, version: 0, ephemeralOwner: SESSION, childCount: 0 };

const CALLS: readonly [name: string, reply: string, xid: number, call: Call<unknown>, value: unknown][] = [
  ['addWatch', 'addWatch-reply', 1, addRecursiveWatch('/t'), undefined],
  [
    'create',
    'create-reply',
    2,
    create({ path: '/t', bytes: utf8('one'), acl: OPEN_ACL, flag: CREATE.persistent }),
    { ...T, mzxid: 2n, version: 0, childCount: 0 },
  ],
  [
    'createEphemeral',
    'createEphemeral-reply',
    3,
    create({ path: '/t/e', bytes: utf8('é'), acl: CREATOR_ACL, flag: CREATE.ephemeral }),
    E,
  ],
  [
    'createContainer',
    'createContainer-reply',
    4,
    create({ path: '/t/c', bytes: NONE, acl: OPEN_ACL, flag: CREATE.container }),
    { czxid: 4n, mzxid: 4n, version: 0, ephemeralOwner: 0n, childCount: 0 },
  ],
  [
    'getData',
    'getData-reply',
    5,
    getData('/t'),
    { bytes: utf8('one'), stat: { ...T, mzxid: 2n, version: 0, childCount: 2 } },
  ],
  ['getDataWatch', 'getDataWatch-reply', 6, getData('/t/e', true), { bytes: utf8('é'), stat: E }],
  ['exists', 'exists-reply', 7, exists('/t'), { ...T, mzxid: 2n, version: 0, childCount: 2 }],
  ['getChildren', 'getChildren-reply', 9, getChildren('/t'), ['c', 'e']],
  ['sync', 'sync-reply', 10, sync('/t'), undefined],
  [
    'multi',
    'multi-reply',
    11,
    multi([
      { kind: 'check', path: '/t', version: 0 },
      { kind: 'set', path: '/t', bytes: utf8('two'), version: 0 },
      { kind: 'create', path: '/t/n', bytes: NONE, acl: OPEN_ACL, flag: CREATE.ephemeral },
      { kind: 'delete', path: '/t/c', version: -1 },
    ]),
    { kind: 'applied', versions: [null, 1, 0, null] },
  ],
  [
    'multiRefused',
    'multiRefused-reply',
    12,
    multi([
      { kind: 'check', path: '/t', version: 1 },
      { kind: 'set', path: '/t', bytes: utf8('x'), version: 7 },
      { kind: 'delete', path: '/t/n', version: -1 },
    ]),
    { kind: 'refused', index: 1, serverCode: -103 },
  ],
  [
    'multiReadData',
    'multiReadData-reply',
    13,
    multiGetData(['/t', '/none', '/t/e']),
    [
      { value: { bytes: utf8('two'), stat: { ...T, mzxid: 5n, version: 1, childCount: 2 } } },
      { serverCode: -101 },
      { value: { bytes: utf8('é'), stat: E } },
    ],
  ],
  [
    'multiReadChildren',
    'multiReadChildren-reply',
    14,
    multiGetChildren(['/t', '/none']),
    [{ value: ['e', 'n'] }, { serverCode: -101 }],
  ],
];

describe('packets of the Java client', () => {
  test('all of them are looked at here', () => {
    expect(packets.size).toBe(48);
  });

  test.each(CALLS)('%s is written as the Java client writes it, and %s read', (name, reply, xid, call, value) => {
    expect(requestHex(call, xid)).toBe(bytesOf(name).toString('hex'));
    const header = decodeReplyHeader(new ByteReader(bytesOf(reply)));
    expect(header).toMatchObject({ xid, errorCode: 0 });
    expect(decodeBody(call, bytesOf(reply).subarray(HEADER))).toEqual(value);
  });

  test('those of the session itself', () => {
    const greeting = { identity: null, lastZxid: 0n, timeoutMs: 6_000, readOnly: false };
    expect(hexOf(encodeGreeting(greeting))).toBe(bytesOf('greeting').toString('hex'));
    expect(hexOf(encodeAuth('digest', 'ana:secret'))).toBe(bytesOf('auth').toString('hex'));
    expect(hexOf(encodePing())).toBe(bytesOf('ping').toString('hex'));
    expect(hexOf(encodeCloseSession(17))).toBe(bytesOf('closeSession').toString('hex'));
    const welcome = decodeWelcome(new ByteReader(bytesOf('welcome')));
    expect(welcome).toMatchObject({ timeoutMs: 6_000, readOnly: false });
    expect(welcome.identity.password).toHaveLength(16);
    expect(decodeReplyHeader(new ByteReader(bytesOf('authenticated')))).toMatchObject({ xid: -4, errorCode: 0 });
    expect(decodeReplyHeader(new ByteReader(bytesOf('ping-reply')))).toMatchObject({ xid: -2, zxid: 7n });
  });

  test('a renewed greeting carries the session, its password and the newest transaction', () => {
    const identity = { id: 0x0102030405060708n, password: Buffer.alloc(16, 0xaa) };
    const greeting = encodeGreeting({ identity, lastZxid: 0x100000002n, timeoutMs: 1, readOnly: true });
    expect(hexOf(greeting)).toBe(`00000000000000010000000200000001010203040506070800000010${'aa'.repeat(16)}01`);
  });

  test('a welcome of a server before 3.4 has no read-only flag', () => {
    expect(decodeWelcome(new ByteReader(bytesOf('welcome').subarray(0, -1))).readOnly).toBe(false);
  });

  test.each([
    ['created-event', 1, '/t'],
    ['multi-changed-event', 3, '/t'],
    ['multi-deleted-event', 2, '/t/c'],
  ])('%s is read', (name, type, path) => {
    expect(decodeWatchEvent(new ByteReader(bytesOf(name).subarray(HEADER)))).toEqual({ type, path });
  });

  test.each([
    ['existsWatch-refusal', -101],
    ['createExisting-refusal', -110],
  ])('%s carries its code in the header and has no body', (name, errorCode) => {
    expect(decodeReplyHeader(new ByteReader(bytesOf(name))).errorCode).toBe(errorCode);
    expect(bytesOf(name)).toHaveLength(HEADER);
  });
});

describe('replies that lie', () => {
  test.each(CALLS)('%s: no truncation of its reply is taken for a whole one', (_name, reply, _xid, call) => {
    const body = bytesOf(reply).subarray(HEADER);
    for (let length = 0; length < body.length; length++) {
      expect(() => decodeBody(call, body.subarray(0, length))).toThrow(DecodeError);
    }
    expect(() => decodeBody(call, Buffer.concat([body, Buffer.of(0)]))).toThrow(DecodeError);
  });

  test('any change of bytes is read or refused, never anything else', () => {
    fc.assert(
      fc.property(fc.nat(CALLS.length - 1), fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 4 }), (n, edits) => {
        const [, reply, , call] = CALLS[n] ?? [];
        if (reply === undefined || call === undefined) return;
        const body = Buffer.from(bytesOf(reply).subarray(HEADER));
        for (const [at, value] of edits) if (body.length > 0) body[at % body.length] = value;
        try {
          decodeBody(call, body);
        } catch (error) {
          expect(error).toBeInstanceOf(DecodeError);
        }
      }),
      runs(2_000),
    );
  });

  test('a vector that claims two thousand million names allocates nothing', () => {
    const body = Buffer.concat([int(0x7fffffff), Buffer.alloc(80)]);
    expect(() => decodeBody(getChildren('/t'), body)).toThrow(/vector of 2147483647 items/);
  });

  test('a multi with more results than operations is refused', () => {
    expect(() => decodeBody(multi([{ kind: 'delete', path: '/x', version: -1 }]), bytesOf('multi-reply'))).toThrow(
      DecodeError,
    );
    const two = [int(2), Buffer.of(0), int(0), int(2), Buffer.of(0), int(0), int(-1), Buffer.of(1), int(-1)];
    const body = Buffer.concat(two);
    expect(() => decodeBody(multi([{ kind: 'delete', path: '/x', version: -1 }]), body)).toThrow(/more than the 1/);
  });
});
