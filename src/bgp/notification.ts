import { CeaseError, ErrorCode, HEADER_LENGTH, MARKER_LENGTH, MessageType } from './constants.ts';

/** What RFC 7606 section 2 lets a speaker do about an error, weakest first. */
export const ERROR_HANDLING = ['attribute-discard', 'treat-as-withdraw', 'afi-safi-disable', 'reset'] as const;
export type ErrorHandling = (typeof ERROR_HANDLING)[number];

/** A NOTIFICATION's content: RFC 4271 section 4.5. */
export interface Notification {
  readonly code: number;
  readonly subcode: number;
  readonly data: Uint8Array;
}

/** What was wrong with a message, as protocol data: what goes on the wire, and whether the session must end for it. */
export interface BgpError extends Notification {
  readonly handling: ErrorHandling;
  readonly text: string;
}

const NO_DATA = new Uint8Array(0);

export function resetError(code: number, subcode: number, text: string, data: Uint8Array = NO_DATA): BgpError {
  return { code, subcode, data, handling: 'reset', text };
}

export function isStronger(a: ErrorHandling, b: ErrorHandling): boolean {
  return ERROR_HANDLING.indexOf(a) > ERROR_HANDLING.indexOf(b);
}

/** A whole message: marker, length, type, body (RFC 4271 section 4.1). */
export function frame(type: number, body: Uint8Array): Uint8Array {
  const message = new Uint8Array(HEADER_LENGTH + body.length);
  message.fill(0xff, 0, MARKER_LENGTH);
  message[16] = message.length >> 8;
  message[17] = message.length & 0xff;
  message[18] = type;
  message.set(body, HEADER_LENGTH);
  return message;
}

const KEEPALIVE = frame(MessageType.keepalive, NO_DATA);

export function encodeKeepalive(): Uint8Array {
  return KEEPALIVE;
}

/** Error code (1), error subcode (1), data (rest). Data beyond what the longest message holds is cut off. */
export function encodeNotification(content: Notification): Uint8Array {
  const data = content.data.subarray(0, 4096 - HEADER_LENGTH - 2);
  const body = new Uint8Array(2 + data.length);
  body[0] = content.code;
  body[1] = content.subcode;
  body.set(data, 2);
  return frame(MessageType.notification, body);
}

/** The framer has seen to it that code and subcode are there. */
export function decodeNotification(body: Uint8Array): Notification {
  return { code: body[0] ?? 0, subcode: body[1] ?? 0, data: body.slice(2) };
}

/** RFC 9003 section 2: one octet of length, then UTF-8; a text that is too long is cut between characters. */
export function encodeShutdownText(text: string): Uint8Array {
  const bytes = new Uint8Array(256);
  // The control characters would let a text forge lines in the peer's log.
  const clean = text.replaceAll(/\p{Cc}+/gu, ' ').trim();
  const { written } = new TextEncoder().encodeInto(clean, bytes.subarray(1));
  bytes[0] = written;
  return bytes.slice(0, 1 + written);
}

/** The text of a received shutdown, or undefined when the data is not one. */
export function decodeShutdownText(data: Uint8Array): string | undefined {
  const length = data[0] ?? 0;
  if (length === 0 || length > data.length - 1) return undefined;
  const text = new TextDecoder('utf-8').decode(data.subarray(1, 1 + length));
  return text.replaceAll(/\p{Cc}/gu, '.');
}

const CODE_NAMES: Readonly<Record<number, string>> = {
  [ErrorCode.messageHeader]: 'Message Header Error',
  [ErrorCode.openMessage]: 'OPEN Message Error',
  [ErrorCode.updateMessage]: 'UPDATE Message Error',
  [ErrorCode.holdTimerExpired]: 'Hold Timer Expired',
  [ErrorCode.finiteStateMachine]: 'Finite State Machine Error',
  [ErrorCode.cease]: 'Cease',
  [ErrorCode.routeRefresh]: 'ROUTE-REFRESH Message Error',
  [ErrorCode.sendHoldTimerExpired]: 'Send Hold Timer Expired',
};

/** As the RFCs of constants.ts word them. */
const SUBCODE_NAMES: Readonly<Record<string, string>> = {
  '1/1': 'Connection Not Synchronized',
  '1/2': 'Bad Message Length',
  '1/3': 'Bad Message Type',
  '2/1': 'Unsupported Version Number',
  '2/2': 'Bad Peer AS',
  '2/3': 'Bad BGP Identifier',
  '2/4': 'Unsupported Optional Parameter',
  '2/6': 'Unacceptable Hold Time',
  '2/7': 'Unsupported Capability',
  '2/11': 'Role Mismatch',
  '3/1': 'Malformed Attribute List',
  '3/2': 'Unrecognized Well-known Attribute',
  '3/3': 'Missing Well-known Attribute',
  '3/4': 'Attribute Flags Error',
  '3/5': 'Attribute Length Error',
  '3/6': 'Invalid ORIGIN Attribute',
  '3/8': 'Invalid NEXT_HOP Attribute',
  '3/9': 'Optional Attribute Error',
  '3/10': 'Invalid Network Field',
  '3/11': 'Malformed AS_PATH',
  '5/1': 'Receive Unexpected Message in OpenSent State',
  '5/2': 'Receive Unexpected Message in OpenConfirm State',
  '5/3': 'Receive Unexpected Message in Established State',
  '6/1': 'Maximum Number of Prefixes Reached',
  '6/2': 'Administrative Shutdown',
  '6/3': 'Peer De-configured',
  '6/4': 'Administrative Reset',
  '6/5': 'Connection Rejected',
  '6/6': 'Other Configuration Change',
  '6/7': 'Connection Collision Resolution',
  '6/8': 'Out of Resources',
  '6/9': 'Hard Reset',
  '6/10': 'BFD Down',
  '7/1': 'Invalid Message Length',
};

/** "Cease / Administrative Shutdown (6/2): maintenance", as people look it up. */
export function describeNotification(content: Notification): string {
  const { code, subcode, data } = content;
  const numbers = `${code}/${subcode}`;
  const parts = [CODE_NAMES[code] ?? 'Unknown Error', SUBCODE_NAMES[numbers]].filter((part) => part !== undefined);
  const carriesText =
    code === ErrorCode.cease &&
    (subcode === CeaseError.administrativeShutdown || subcode === CeaseError.administrativeReset);
  const text = carriesText ? decodeShutdownText(data) : undefined;
  return `${parts.join(' / ')} (${numbers})${text === undefined ? '' : `: ${text}`}`;
}
