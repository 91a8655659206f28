import { ByteReader, DecodeError } from '../core/bytes.ts';
import { AsPathSegment, AttributeFlag, AttributeType, ErrorCode, UpdateError } from './constants.ts';
import type { BgpError, ErrorHandling } from './notification.ts';

/** What the session says about how attributes are to be read. */
export interface AttributeContext {
  readonly ebgp: boolean;
  readonly fourOctetAs: boolean;
}

export interface ReceivedAttribute {
  readonly flags: number;
  readonly type: number;
  readonly value: Uint8Array;
  /** Flags, type, length and value as received: the data of most errors (RFC 4271 section 6.3). */
  readonly whole: Uint8Array;
}

interface Finding {
  readonly subcode: number;
  readonly text: string;
}

interface Rule {
  readonly name: string;
  /** The optional and transitive bits that the attribute must have (RFC 7606 section 3 (c)). */
  readonly flags: number;
  /** What RFC 7606 section 7 asks for when the value is wrong. */
  readonly handling: ErrorHandling;
  /** The attribute means nothing on this session and is discarded unread. */
  readonly misplaced?: (context: AttributeContext) => boolean;
  readonly check?: (value: Uint8Array, context: AttributeContext) => Finding | null;
}

const WELL_KNOWN = AttributeFlag.transitive;
const OPTIONAL = AttributeFlag.optional;
const OPTIONAL_TRANSITIVE = AttributeFlag.optional | AttributeFlag.transitive;

const isEbgp = (context: AttributeContext): boolean => context.ebgp;
const isNewSpeaker = (context: AttributeContext): boolean => context.fourOctetAs;

/** RFC 7606 section 7 as data. MP_REACH_NLRI and MP_UNREACH_NLRI are read where the UPDATE is taken apart. */
const RULES: Readonly<Record<number, Rule>> = {
  [AttributeType.origin]: {
    name: 'ORIGIN',
    flags: WELL_KNOWN,
    handling: 'treat-as-withdraw',
    check: checkOrigin,
  },
  [AttributeType.asPath]: {
    name: 'AS_PATH',
    flags: WELL_KNOWN,
    handling: 'treat-as-withdraw',
    check: (value, context) => checkAsPath(value, context.fourOctetAs),
  },
  [AttributeType.nextHop]: {
    name: 'NEXT_HOP',
    flags: WELL_KNOWN,
    handling: 'treat-as-withdraw',
    check: exactLength(4),
  },
  [AttributeType.multiExitDisc]: {
    name: 'MULTI_EXIT_DISC',
    flags: OPTIONAL,
    handling: 'treat-as-withdraw',
    check: exactLength(4),
  },
  [AttributeType.localPref]: {
    name: 'LOCAL_PREF',
    flags: WELL_KNOWN,
    handling: 'treat-as-withdraw',
    misplaced: isEbgp,
    check: exactLength(4),
  },
  [AttributeType.atomicAggregate]: {
    name: 'ATOMIC_AGGREGATE',
    flags: WELL_KNOWN,
    handling: 'attribute-discard',
    check: exactLength(0),
  },
  [AttributeType.aggregator]: {
    name: 'AGGREGATOR',
    flags: OPTIONAL_TRANSITIVE,
    handling: 'attribute-discard',
    check: (value, context) => exactLength(context.fourOctetAs ? 8 : 6)(value),
  },
  [AttributeType.communities]: {
    name: 'COMMUNITIES',
    flags: OPTIONAL_TRANSITIVE,
    handling: 'treat-as-withdraw',
    check: multipleOf(4),
  },
  [AttributeType.originatorId]: {
    name: 'ORIGINATOR_ID',
    flags: OPTIONAL,
    handling: 'treat-as-withdraw',
    misplaced: isEbgp,
    check: exactLength(4),
  },
  [AttributeType.clusterList]: {
    name: 'CLUSTER_LIST',
    flags: OPTIONAL,
    handling: 'treat-as-withdraw',
    misplaced: isEbgp,
    check: multipleOf(4),
  },
  [AttributeType.mpReach]: { name: 'MP_REACH_NLRI', flags: OPTIONAL, handling: 'afi-safi-disable' },
  [AttributeType.mpUnreach]: { name: 'MP_UNREACH_NLRI', flags: OPTIONAL, handling: 'afi-safi-disable' },
  [AttributeType.extendedCommunities]: {
    name: 'EXTENDED COMMUNITIES',
    flags: OPTIONAL_TRANSITIVE,
    handling: 'treat-as-withdraw',
    check: multipleOf(8),
  },
  [AttributeType.as4Path]: {
    name: 'AS4_PATH',
    flags: OPTIONAL_TRANSITIVE,
    handling: 'attribute-discard',
    misplaced: isNewSpeaker,
    check: (value) => checkAsPath(value, true),
  },
  [AttributeType.as4Aggregator]: {
    name: 'AS4_AGGREGATOR',
    flags: OPTIONAL_TRANSITIVE,
    handling: 'attribute-discard',
    misplaced: isNewSpeaker,
    check: exactLength(8),
  },
  [AttributeType.largeCommunities]: {
    name: 'LARGE_COMMUNITY',
    flags: OPTIONAL_TRANSITIVE,
    handling: 'treat-as-withdraw',
    check: multipleOf(12),
  },
};

/** Judges one attribute on its own. An optional attribute that we do not know is fine (RFC 4271 section 9). */
export function judgeAttribute(received: ReceivedAttribute, context: AttributeContext): BgpError | null {
  const rule = RULES[received.type];
  const about = (subcode: number, handling: ErrorHandling, text: string): BgpError => ({
    code: ErrorCode.updateMessage,
    subcode,
    data: received.whole.slice(),
    handling,
    text,
  });
  if (rule === undefined) {
    if ((received.flags & AttributeFlag.optional) !== 0) return null;
    const text = `well-known attribute ${received.type} is not known`;
    return about(UpdateError.unrecognizedWellKnownAttribute, 'reset', text);
  }
  if ((received.flags & OPTIONAL_TRANSITIVE) !== rule.flags) {
    const text = `${rule.name} with flags 0x${received.flags.toString(16)}`;
    return about(UpdateError.attributeFlags, 'treat-as-withdraw', text);
  }
  if (rule.misplaced?.(context) === true) {
    const text = `${rule.name} has no meaning on this session`;
    return about(UpdateError.malformedAttributeList, 'attribute-discard', text);
  }
  const finding = rule.check?.(received.value, context) ?? null;
  return finding === null ? null : about(finding.subcode, rule.handling, `${rule.name}: ${finding.text}`);
}

function exactLength(length: number): (value: Uint8Array) => Finding | null {
  return (value) =>
    value.length === length ? null : { subcode: UpdateError.attributeLength, text: `length ${value.length}` };
}

/** RFC 7606 sections 7.8 and 7.14, RFC 8092 section 6: a non-zero multiple. */
function multipleOf(unit: number): (value: Uint8Array) => Finding | null {
  return (value) =>
    value.length > 0 && value.length % unit === 0
      ? null
      : { subcode: UpdateError.attributeLength, text: `length ${value.length}` };
}

function checkOrigin(value: Uint8Array): Finding | null {
  if (value.length !== 1) return { subcode: UpdateError.attributeLength, text: `length ${value.length}` };
  const origin = value[0] ?? 0;
  return origin <= 2 ? null : { subcode: UpdateError.invalidOrigin, text: `value ${origin}` };
}

/** RFC 7606 section 7.2; confederation segments have no place here (RFC 5065 section 5), nor has AS 0 (RFC 7607). */
function checkAsPath(value: Uint8Array, fourOctetAs: boolean): Finding | null {
  const bad = (text: string): Finding => ({ subcode: UpdateError.malformedAsPath, text });
  try {
    const r = new ByteReader(value);
    while (r.remaining > 0) {
      const type = r.u8();
      const count = r.u8();
      if (type !== AsPathSegment.set && type !== AsPathSegment.sequence) return bad(`segment type ${type}`);
      if (count === 0) return bad('a segment without AS numbers');
      for (let i = 0; i < count; i++) {
        if ((fourOctetAs ? r.u32be() : r.u16be()) === 0) return bad('AS 0');
      }
    }
    return null;
  } catch (error) {
    if (!(error instanceof DecodeError)) throw error;
    return bad(error.message);
  }
}
