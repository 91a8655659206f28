import type { Clock, Log } from '../../core/ports.ts';
import { NetlinkClient } from './client.ts';
import { NETLINK_GENERIC } from './constants.ts';
import { resolveFamily } from './family.ts';
import { polledTransport } from './polled-transport.ts';
import { streamTransport } from './stream-transport.ts';
import type { OpenTransport } from './transport.ts';

export type TransportKind = 'stream' | 'polled';
const SELF_TEST_MS = 1_000;

/** How netlink sockets are opened in this process, once the way was found to work. */
export interface Transports {
  readonly kind: TransportKind;
  /** @param protocol NETLINK_GENERIC, NETLINK_ROUTE or NETLINK_NETFILTER */
  open(protocol: number): OpenTransport;
}

/**
 * Tries the stream on a question that every kernel answers to anybody: the controller's own family number. If the
 * answer stays out, plain reads and writes take the stream's place.
 */
export async function chooseTransport(deps: { readonly clock: Clock; readonly log: Log }): Promise<Transports> {
  const { clock, log } = deps;
  const client = new NetlinkClient({
    open: streamTransport(NETLINK_GENERIC),
    clock,
    limits: { replyTimeoutMs: SELF_TEST_MS },
  });
  const answer = await resolveFamily(client, 'nlctrl');
  await client.close();
  if (answer.ok && answer.value !== null) return { kind: 'stream', open: (protocol) => streamTransport(protocol) };
  const reason = answer.ok ? 'no answer' : answer.error.message;
  log.warn({ reason }, 'netlink streams do not work in this Node; reading and writing the socket plainly');
  return { kind: 'polled', open: (protocol) => polledTransport(protocol, clock) };
}
