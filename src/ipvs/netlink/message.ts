import type { ByteWriter } from '../../core/bytes.ts';
import { ByteReader, DecodeError } from '../../core/bytes.ts';
import { NLM_F_ACK_TLVS, NLM_F_CAPPED, NLM_F_DUMP_INTR, NLMSGERR_ATTR_MSG, NLA_TYPE_MASK } from './constants.ts';

/*
 * struct nlmsghdr (include/uapi/linux/netlink.h), all in the host's byte order, which is little-endian on every
 * machine this adapter runs on (the socket refuses to open elsewhere):
 *
 *   u32 nlmsg_len   with this header      u16 nlmsg_type      u16 nlmsg_flags
 *   u32 nlmsg_seq                         u32 nlmsg_pid       payload, padded to four bytes
 */
export const HEADER_LENGTH = 16;
/** Where nlmsg_seq stands. */
export const SEQUENCE_OFFSET = 8;
const ALIGNMENT = 4;

/** One message as received. `payload` looks into the datagram's buffer: it is valid only while that is. */
export interface NetlinkMessage {
  readonly type: number;
  readonly flags: number;
  readonly sequence: number;
  /** nlmsg_pid: the socket that it is for. */
  readonly port: number;
  readonly payload: ByteReader;
}

/** A message to be sent; the client adds flags and the sequence number. */
export interface NetlinkRequest {
  readonly type: number;
  /** Flags beside NLM_F_REQUEST and NLM_F_ACK, such as NLM_F_CREATE. */
  readonly flags?: number;
  writePayload(writer: ByteWriter): void;
}

export function writeMessage(writer: ByteWriter, request: NetlinkRequest, flags: number, sequence: number): void {
  const start = writer.length;
  writer
    .u32le(0)
    .u16le(request.type)
    .u16le(flags | (request.flags ?? 0))
    .u32le(sequence)
    .u32le(0);
  request.writePayload(writer);
  const length = writer.length - start;
  writer.patchU32le(start, length);
  writePadding(writer, length);
}

/**
 * Walks the messages of one datagram.
 * @throws DecodeError when a length lies; messages before it have been handed out by then
 */
export function* readMessages(datagram: Uint8Array): Generator<NetlinkMessage, void, void> {
  const reader = new ByteReader(datagram);
  while (reader.remaining > 0) {
    const length = reader.u32le();
    if (length < HEADER_LENGTH) throw new DecodeError(`a netlink message of ${length} bytes`, reader.offset);
    const type = reader.u16le();
    const flags = reader.u16le();
    const sequence = reader.u32le();
    const port = reader.u32le();
    const payload = reader.fenced(length - HEADER_LENGTH);
    // The last message of a datagram may go without its padding.
    reader.skip(Math.min(padding(length), reader.remaining));
    yield { type, flags, sequence, port, payload };
  }
}

/**
 * A message as it was received, with its padding, but never with NLM_F_DUMP_INTR: a later dump that is interrupted at the
 * same place must not look like this one. What is left of its payload is not consumed.
 */
export function writeReceived(writer: ByteWriter, { type, flags, sequence, port, payload }: NetlinkMessage): void {
  const length = HEADER_LENGTH + payload.remaining;
  const kept = flags & ~NLM_F_DUMP_INTR;
  writer.u32le(length).u16le(type).u16le(kept).u32le(sequence).u32le(port);
  writer.bytes(payload.ahead().bytes(payload.remaining));
  writePadding(writer, length);
}

/** The payload of NLMSG_ERROR: the answer to one request. `errno` 0 is an acknowledgement. */
export interface Acknowledgement {
  /** Positive errno, or 0. */
  readonly errno: number;
  /** The kernel's own words (extended ACK), if it had any. */
  readonly text: string | null;
}

/**
 * struct nlmsgerr: i32 error; struct nlmsghdr of the request; the request's payload unless NLM_F_CAPPED; attributes
 * if NLM_F_ACK_TLVS.
 * @throws DecodeError
 */
export function readAcknowledgement(message: NetlinkMessage): Acknowledgement {
  const { payload, flags } = message;
  const errno = 0 - payload.i32le();
  if (errno < 0) throw new DecodeError(`an error of ${-errno} where errno is sent negated`, payload.offset);
  if ((flags & NLM_F_ACK_TLVS) === 0) return { errno, text: null };
  const echoed = payload.u32le();
  if (echoed < HEADER_LENGTH) throw new DecodeError(`an echoed request of ${echoed} bytes`, payload.offset);
  payload.skip(HEADER_LENGTH - 4);
  if ((flags & NLM_F_CAPPED) === 0) payload.skip(echoed - HEADER_LENGTH + padding(echoed));
  return { errno, text: readErrorText(payload) };
}

/**
 * The payload of NLMSG_DONE: i32, negative errno of a dump that failed halfway, or 0; old kernels send nothing.
 * @throws DecodeError
 */
export function readDone(message: NetlinkMessage): Acknowledgement {
  if (message.payload.remaining === 0) return { errno: 0, text: null };
  const errno = 0 - message.payload.i32le();
  const text = (message.flags & NLM_F_ACK_TLVS) === 0 ? null : readErrorText(message.payload);
  return { errno: Math.max(errno, 0), text };
}

function readErrorText(attributes: ByteReader): string | null {
  while (attributes.remaining > 0) {
    const { id, length } = readAttributeHeader(attributes);
    if (id === NLMSGERR_ATTR_MSG) return readString(attributes.fenced(length));
    attributes.skip(length);
    skipPadding(attributes, length);
  }
  return null;
}

/** struct nlattr: u16 nla_len with these four bytes, u16 nla_type, value, padded to four bytes. */
const ATTRIBUTE_HEADER_LENGTH = 4;

/**
 * The number of an attribute and the length of its value, which comes next.
 * @throws DecodeError when the value would reach over the fence
 */
export function readAttributeHeader(reader: ByteReader): { readonly id: number; readonly length: number } {
  const length = reader.u16le() - ATTRIBUTE_HEADER_LENGTH;
  const id = reader.u16le() & NLA_TYPE_MASK;
  if (length < 0 || length > reader.remaining) {
    throw new DecodeError(`an attribute of ${length + ATTRIBUTE_HEADER_LENGTH} bytes`, reader.offset);
  }
  return { id, length };
}

/** Behind a value. The last of a message may go without. */
export function skipPadding(reader: ByteReader, length: number): void {
  reader.skip(Math.min(padding(length), reader.remaining));
}

/** Opens an attribute; its value is what is written until `endAttribute`. */
export function beginAttribute(writer: ByteWriter, type: number): number {
  const start = writer.length;
  writeAttributeHeader(writer, type, 0);
  return start;
}

/** @throws RangeError when the value does not fit the attribute's length field */
export function endAttribute(writer: ByteWriter, start: number): void {
  const length = writer.length - start;
  if (length > 0xffff) throw new RangeError(`an attribute of ${length} bytes does not fit its length field`);
  writer.patchU16le(start, length);
  writePadding(writer, length);
}

/** Before a value of a known length. */
export function writeAttributeHeader(writer: ByteWriter, type: number, length: number): void {
  writer.u32le(((type << 16) | (length + ATTRIBUTE_HEADER_LENGTH)) >>> 0);
}

export function writePadding(writer: ByteWriter, length: number): void {
  const missing = padding(length);
  if (missing > 0) writer.zeros(missing);
}

/** Text that ends at a NUL or at the fence. */
export function readString(value: ByteReader): string {
  const bytes = value.bytes(value.remaining);
  const end = bytes.indexOf(0);
  return Buffer.from(end === -1 ? bytes : bytes.subarray(0, end)).toString('utf8');
}

function padding(length: number): number {
  return -length & (ALIGNMENT - 1);
}
