/**
 * Builds what a ZooKeeper server sends, byte by byte from zookeeper.jute and with nothing of our own codec, so that a
 * mistake there cannot hide itself.
 */
import { readFileSync } from 'node:fs';

export const int = (value: number): Buffer => {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
};

export const long = (value: bigint): Buffer => {
  const bytes = Buffer.alloc(8);
  bytes.writeBigInt64BE(value);
  return bytes;
};

export const text = (value: string): Buffer => Buffer.concat([int(Buffer.byteLength(value)), Buffer.from(value)]);

export const framed = (...parts: readonly Buffer[]): Buffer => {
  const body = Buffer.concat(parts);
  return Buffer.concat([int(body.length), body]);
};

export const welcome = (
  options: { readonly session?: bigint; readonly timeoutMs?: number; readonly readOnly?: boolean } = {},
): Buffer =>
  framed(
    int(0),
    int(options.timeoutMs ?? 9_000),
    long(options.session ?? 0x1234n),
    int(16),
    Buffer.alloc(16, 7),
    Buffer.from([options.readOnly === true ? 1 : 0]),
  );

export const reply = (
  xid: number,
  options: { readonly zxid?: bigint; readonly error?: number } = {},
  ...body: Buffer[]
) => framed(int(xid), long(options.zxid ?? 1n), int(options.error ?? 0), ...body);

export const event = (type: number, path: string): Buffer =>
  framed(int(-1), long(-1n), int(0), int(type), int(3), text(path));

export const stat = (
  fields: {
    readonly czxid?: bigint;
    readonly mzxid?: bigint;
    readonly version?: number;
    readonly owner?: bigint;
    readonly children?: number;
  } = {},
): Buffer =>
  Buffer.concat([
    long(fields.czxid ?? 1n),
    long(fields.mzxid ?? 1n),
    long(0n),
    long(0n),
    int(fields.version ?? 0),
    int(0),
    int(0),
    long(fields.owner ?? 0n),
    int(0),
    int(fields.children ?? 0),
    long(0n),
  ]);

/** The packets recorded between a Java client and a server, without their length prefix, by name. */
export function recorded(): ReadonlyMap<string, Buffer> {
  const file = new URL('../vectors/zookeeper/java-client-3.8.0.hex', import.meta.url);
  const packets = new Map<string, Buffer>();
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    const [, name, hex] = /^to(?:Server|Client) (\S+) ([0-9a-f]+)$/.exec(line) ?? [];
    if (name !== undefined && hex !== undefined) packets.set(name, Buffer.from(hex.slice(8), 'hex'));
  }
  return packets;
}
