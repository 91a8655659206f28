import { assertNever } from '../core/result.ts';
import type { Family } from '../model/address.ts';
import { MessageType, RefreshSubtype } from './constants.ts';
import type { RawMessage } from './framer.ts';
import { accepts, type FsmEvent } from './fsm.ts';
import { type BgpError, decodeNotification } from './notification.ts';
import { decodeOpen, type LocalOpen, type Negotiated } from './open.ts';
import type { BgpState } from './port.ts';
import { decodeUpdate, strongest } from './received-update.ts';
import { decodeRouteRefresh } from './route-refresh.ts';

/** What a message is to be judged by. */
export interface InboxContext {
  readonly state: BgpState;
  readonly peerAsn: number;
  /** The OPEN that we sent on this connection. */
  readonly offered: LocalOpen;
  /** null until the peer's OPEN has been accepted. */
  readonly negotiated: Negotiated | null;
}

/** What a message amounts to. */
export interface Heard {
  /** For the state machine; null when the message changes nothing there. */
  readonly event: FsmEvent | null;
  /** The OPEN was accepted with this outcome. */
  readonly negotiated?: Negotiated;
  /** Routes that an UPDATE announced. */
  readonly announced?: number;
  /** An error that RFC 7606 lets the session survive. */
  readonly survived?: BgpError;
  /** The peer wants this family once more. */
  readonly refresh?: Family;
}

/** Reads one framed message. Pure; whatever the octets are, it answers and never throws. */
export function hear(message: RawMessage, context: InboxContext): Heard {
  const { type, body } = message;
  if (!accepts(context.state, type)) return { event: { kind: 'unexpected', type } };
  switch (type) {
    case MessageType.open:
      return hearOpen(body, context);
    case MessageType.update:
      return hearUpdate(body, context);
    case MessageType.keepalive:
      return { event: { kind: 'keepalive' } };
    case MessageType.notification:
      return { event: { kind: 'notification', notification: decodeNotification(body) } };
    case MessageType.routeRefresh:
      return hearRefresh(body, context);
    default:
      return { event: { kind: 'unexpected', type } };
  }
}

function failure(error: BgpError): Heard {
  return { event: { kind: 'error', notification: error, reason: error.text } };
}

function hearOpen(body: Uint8Array, context: InboxContext): Heard {
  const decoded = decodeOpen(body, context.offered, context.peerAsn);
  if (!decoded.ok) return failure(decoded.error);
  const negotiated = decoded.value;
  return { event: { kind: 'open', holdTimeMs: negotiated.holdTimeS * 1000 }, negotiated };
}

function hearUpdate(body: Uint8Array, context: InboxContext): Heard {
  const { negotiated, peerAsn, offered } = context;
  const families = negotiated?.families ?? [];
  const fourOctetAs = negotiated?.fourOctetAs === true;
  const update = decodeUpdate(body, { families, fourOctetAs, ebgp: peerAsn !== offered.asn });
  const worst = strongest(update.errors);
  const heard: Heard = { event: { kind: 'update' }, announced: update.announced };
  if (worst === null) return heard;
  switch (worst.handling) {
    case 'reset':
      return failure(worst);
    case 'afi-safi-disable':
    case 'treat-as-withdraw':
    case 'attribute-discard':
      return { ...heard, survived: worst };
    default:
      return assertNever(worst.handling);
  }
}

/** The marks of RFC 7313 delimit the peer's own routes, which are of no use to us. */
function hearRefresh(body: Uint8Array, context: InboxContext): Heard {
  const decoded = decodeRouteRefresh(body, context.negotiated?.enhancedRouteRefresh === true);
  if (!decoded.ok) return failure(decoded.error);
  const { family, subtype } = decoded.value;
  const wanted = subtype === RefreshSubtype.request && family !== undefined;
  return wanted ? { event: null, refresh: family } : { event: null };
}
