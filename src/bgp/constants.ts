/** Numbers of the protocol, each with the document that gives it. */

/** RFC 4271 section 4.1: marker (16), length (2), type (1). */
export const HEADER_LENGTH = 19;
export const MARKER_LENGTH = 16;
/** RFC 4271 section 4; we do not negotiate the extended message of RFC 8654. */
export const MAX_MESSAGE_LENGTH = 4096;
/** RFC 4271 section 4.2. */
export const BGP_VERSION = 4;
/** RFC 6793 section 4.1: stands for an AS number above 65535 in two octets. */
export const AS_TRANS = 23456;

export const MessageType = {
  /** RFC 4271 section 4.1 */
  open: 1,
  update: 2,
  notification: 3,
  keepalive: 4,
  /** RFC 2918 section 3 */
  routeRefresh: 5,
} as const;

/** RFC 4271 sections 4.2 to 4.5 and 6.1: the shortest message of each type, header included. */
export const MIN_LENGTH: Readonly<Record<number, number>> = {
  [MessageType.open]: 29,
  [MessageType.update]: 23,
  [MessageType.notification]: 21,
  [MessageType.keepalive]: 19,
  [MessageType.routeRefresh]: 19,
};

export const ErrorCode = {
  /** RFC 4271 section 4.5 */
  messageHeader: 1,
  openMessage: 2,
  updateMessage: 3,
  holdTimerExpired: 4,
  finiteStateMachine: 5,
  cease: 6,
  /** RFC 7313 section 5 */
  routeRefresh: 7,
  /** RFC 9687 section 6 */
  sendHoldTimerExpired: 8,
} as const;

/** RFC 4271 section 6.1 */
export const HeaderError = { connectionNotSynchronized: 1, badMessageLength: 2, badMessageType: 3 } as const;

/** RFC 4271 section 6.2; 7 is RFC 5492 section 5. */
export const OpenError = {
  unspecific: 0,
  unsupportedVersion: 1,
  badPeerAs: 2,
  badBgpIdentifier: 3,
  unsupportedOptionalParameter: 4,
  unacceptableHoldTime: 6,
  unsupportedCapability: 7,
} as const;

/** RFC 4271 section 6.3 */
export const UpdateError = {
  malformedAttributeList: 1,
  unrecognizedWellKnownAttribute: 2,
  missingWellKnownAttribute: 3,
  attributeFlags: 4,
  attributeLength: 5,
  invalidOrigin: 6,
  invalidNextHop: 8,
  optionalAttribute: 9,
  invalidNetworkField: 10,
  malformedAsPath: 11,
} as const;

/** RFC 4486 section 3; 9 is RFC 8538 section 3, 10 is RFC 9384 section 2. */
export const CeaseError = {
  maximumPrefixes: 1,
  administrativeShutdown: 2,
  peerDeconfigured: 3,
  administrativeReset: 4,
  connectionRejected: 5,
  otherConfigurationChange: 6,
  connectionCollision: 7,
  outOfResources: 8,
  hardReset: 9,
  bfdDown: 10,
} as const;

/** Capability codes. */
export const Capability = {
  /** RFC 4760 section 8 */
  multiprotocol: 1,
  /** RFC 2918 section 2 */
  routeRefresh: 2,
  /** RFC 4724 section 3 */
  gracefulRestart: 64,
  /** RFC 6793 section 3 */
  fourOctetAs: 65,
  /** RFC 7313 section 3.1 */
  enhancedRouteRefresh: 70,
} as const;

/** RFC 5492 section 4 */
export const OPTIONAL_PARAMETER_CAPABILITIES = 2;
/** RFC 9072 section 2: both the length and the first type of the extended form. */
export const EXTENDED_PARAMETERS = 255;

/** Path attribute type codes that we send or judge; see IANA "BGP Path Attributes". */
export const AttributeType = {
  /** RFC 4271 section 5.1 */
  origin: 1,
  asPath: 2,
  nextHop: 3,
  multiExitDisc: 4,
  localPref: 5,
  atomicAggregate: 6,
  aggregator: 7,
  /** RFC 1997 */
  communities: 8,
  /** RFC 4456 */
  originatorId: 9,
  clusterList: 10,
  /** RFC 4760 */
  mpReach: 14,
  mpUnreach: 15,
  /** RFC 4360 */
  extendedCommunities: 16,
  /** RFC 6793 */
  as4Path: 17,
  as4Aggregator: 18,
  /** RFC 8092 */
  largeCommunities: 32,
} as const;

/** RFC 4271 section 4.3 */
export const AttributeFlag = { optional: 0x80, transitive: 0x40, partial: 0x20, extendedLength: 0x10 } as const;

/** RFC 4271 section 4.3 and RFC 5065 section 3. */
export const AsPathSegment = { set: 1, sequence: 2, confedSequence: 3, confedSet: 4 } as const;

/** IANA "Address Family Numbers" and "SAFI". */
export const Afi = { ipv4: 1, ipv6: 2 } as const;
export const SAFI_UNICAST = 1;

/** RFC 2918 section 3 and RFC 7313 section 3.2. */
export const RefreshSubtype = { request: 0, beginning: 1, end: 2 } as const;

/** RFC 4271 section 10: "a large value" while the peer's OPEN is awaited. */
export const OPEN_HOLD_TIME_MS = 240_000;
/** RFC 9687 section 4: the default send hold time, here only for sessions without a hold time. */
export const SEND_HOLD_TIME_MS = 480_000;
/** RFC 4724 section 3: the restart time has twelve bits. */
export const MAX_RESTART_TIME_S = 4095;
/** RFC 4271 section 4.2: a hold time is zero or at least three seconds. */
export const MIN_HOLD_TIME_S = 3;
export const MAX_HOLD_TIME_S = 65_535;
