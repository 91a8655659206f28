import Type from 'typebox';
import type { Static } from 'typebox';
import { DRIFT_KINDS } from './drift-kinds.ts';

/*
 * The read model: everything that the API and the command line show. Declared once; the API's response schemas, the
 * OpenAPI page and the types come from here. All times are ISO 8601 in UTC.
 */

const Time = Type.String({ description: 'A time in UTC, ISO 8601.' });
const NullableTime = Type.Union([Time, Type.Null()]);

export const ProblemView = Type.Object({
  path: Type.String({ description: 'Path of the record.' }),
  field: Type.String({ description: 'Field inside it; empty = the record as a whole.' }),
  found: Type.String({ description: 'What is there.' }),
  allowed: Type.String({ description: 'What would be right.' }),
  effect: Type.String({ description: 'What the agent does meanwhile.' }),
});

const Connections = Type.Object(
  {
    active: Type.Integer(),
    inactive: Type.Integer(),
    persistent: Type.Integer({ description: 'Clients that would come back to it (persistence templates).' }),
  },
  { description: 'As the kernel counts them.' },
);

/** Counters that never go back while the agent runs, and the kernel's rates. */
export const TrafficView = Type.Object({
  connections: Type.Number({ description: 'Connections scheduled.' }),
  inPackets: Type.Number({ description: 'Packets from clients.' }),
  outPackets: Type.Number({ description: 'Packets to clients, as far as they come through here (NAT).' }),
  inBytes: Type.Number({ description: 'Bytes from clients.' }),
  outBytes: Type.Number({ description: 'Bytes to clients, as far as they come through here (NAT).' }),
  connectionsPerSecond: Type.Number(),
  inPacketsPerSecond: Type.Number(),
  outPacketsPerSecond: Type.Number(),
  inBytesPerSecond: Type.Number(),
  outBytesPerSecond: Type.Number(),
});
export type TrafficView = Static<typeof TrafficView>;

const progress = {
  since: NullableTime,
  connections: Connections,
  deadline: Type.Union([Time, Type.Null()], {
    description: 'When what is still open is given up; null = that time does not run (yet).',
  }),
  done: Type.Boolean({ description: 'Nothing of it is in the kernel any more.' }),
};

/** How far a real is on its way out. */
export const ProgressView = Type.Object(progress);
export type ProgressView = Static<typeof ProgressView>;

export const DrainView = Type.Object({
  name: Type.String({ description: 'Name of the record.' }),
  target: Type.String({ description: 'What is drained.' }),
  by: Type.String({ description: 'Who asked for it.' }),
  why: Type.String({ description: 'Why.' }),
  until: Type.Union([Time, Type.Null()], { description: 'When it ends; null = when the record is deleted.' }),
  inForce: Type.Boolean({ description: 'Whether it holds now; false = its time is over.' }),
  progress: Type.Union(
    [
      Type.Object({
        reals: Type.Integer({ description: 'Reals that it drains here, and others that leave meanwhile.' }),
        realsDone: Type.Integer({ description: 'How many of them are out.' }),
        ...progress,
      }),
      Type.Null(),
    ],
    { description: 'How far it is; null = it is not in force, or drains nothing on this agent.' },
  ),
});
export type DrainView = Static<typeof DrainView>;

export const RealView = Type.Object({
  name: Type.String({ description: 'Name of the record.' }),
  target: Type.String({ description: 'Address and port that is checked.' }),
  state: Type.String({ description: "The operators' wish: enabled, drain, disabled, or leaving." }),
  verdict: Type.Enum(['up', 'down', 'unknown'], { description: 'What the checks say.' }),
  since: NullableTime,
  cause: Type.String({ description: 'Why the verdict is what it is.' }),
  latencyMs: Type.Union([Type.Number(), Type.Null()], { description: 'Duration of the last check that finished.' }),
  configuredWeight: Type.Integer({ description: 'Weight of the record.' }),
  weight: Type.Integer({ description: 'Weight in force.' }),
  kept: Type.Boolean({ description: 'In the pool although it fails: the floor holds it.' }),
  reason: Type.String({ description: 'Why it has this weight.' }),
  activeConnections: Type.Integer({ description: 'As the kernel counts them.' }),
  inactiveConnections: Type.Integer({ description: 'As the kernel counts them.' }),
  persistentConnections: Type.Integer({ description: 'Clients that would come back to it (persistence templates).' }),
  traffic: TrafficView,
  drain: Type.Union([ProgressView, Type.Null()], { description: 'How far its drain is; null = it is not drained.' }),
});
export type RealView = Static<typeof RealView>;

export const ServiceView = Type.Object({
  name: Type.String({ description: 'Name of the record.' }),
  vip: Type.String({ description: 'Name of its VIP.' }),
  state: Type.String({ description: "The operators' wish: enabled, drain or disabled." }),
  scheduler: Type.String({
    description: 'IPVS scheduler; on nftables also what stands in for one that counts connections: "wlc (as wrr)".',
  }),
  kernelServices: Type.Integer({ description: 'Kernel services that it expands to.' }),
  quorum: Type.Enum(['held', 'lost'], { description: 'Whether enough reals are up.' }),
  quorumCause: Type.String({ description: 'The count behind it.' }),
  sorry: Type.Boolean({ description: 'The sorry server takes the traffic.' }),
  connections: Connections,
  traffic: TrafficView,
  reals: Type.Array(RealView, { description: 'Its reals.' }),
});
export type ServiceView = Static<typeof ServiceView>;

export const VipView = Type.Object({
  name: Type.String({ description: 'Name of the record.' }),
  addresses: Type.Array(Type.String(), { description: 'Its addresses.' }),
  interface: Type.Union([Type.String(), Type.Null()], {
    description: 'The interface that carries them; null = not our business.',
  }),
  advertised: Type.Boolean({ description: 'Whether it is announced.' }),
  reason: Type.String({ description: 'Why it is, or is not, announced.' }),
});
export type VipView = Static<typeof VipView>;

export const PeerView = Type.Object({
  name: Type.String({ description: 'Name in the settings.' }),
  address: Type.String({ description: 'Its address.' }),
  asn: Type.Integer({ description: 'Its AS number.' }),
  state: Type.String({ description: 'State of RFC 4271 section 8.2.2.' }),
  since: NullableTime,
  announced: Type.Integer({ description: 'Routes announced on this session.' }),
  endOfRibSent: Type.Boolean({ description: 'Whether End-of-RIB was sent (RFC 4724).' }),
  lastError: Type.Union([Type.String(), Type.Null()], {
    description: 'Why the session last went down; null = it never did.',
  }),
  flaps: Type.Integer({ description: 'How often an Established session was lost.' }),
});
export type PeerView = Static<typeof PeerView>;

export const HoldView = Type.Object({
  revision: Type.String({ description: 'The revision that an approval must name.' }),
  why: Type.String({ description: 'What the guard found.' }),
  since: Time,
  lost: Type.Array(Type.String(), { description: 'What the change would take away.' }),
});
export type HoldView = Static<typeof HoldView>;

export const SettingView = Type.Object({
  name: Type.String({ description: 'Such as "net.ipv4.vs.conntrack", "timeout udp" or "sync master".' }),
  wanted: Type.Union([Type.String(), Type.Null()], { description: 'null = it is on its way back to `before`.' }),
  actual: Type.Union([Type.String(), Type.Null()], { description: 'As it was last read; null = not known.' }),
  before: Type.Union([Type.String(), Type.Null()], {
    description: 'What was found, and comes back once nothing is wanted; null = nothing was changed yet.',
  }),
  drifts: Type.Integer({ description: 'How often somebody else was found to have changed it.' }),
});
export type SettingView = Static<typeof SettingView>;

export const KernelView = Type.Object({
  adapter: Type.String({ description: 'How the kernel is reached: ipvs, ipvsadm, nftables or memory.' }),
  services: Type.Integer({ description: 'Virtual services of ours.' }),
  destinations: Type.Integer({ description: 'Destinations of ours.' }),
  foreignServices: Type.Array(Type.String(), { description: 'In the kernel, not ours, never touched.' }),
  leaving: Type.Array(Type.Object({ service: Type.String(), real: Type.String(), until: Time })),
  leavingAddresses: Type.Array(
    Type.Object({ interface: Type.String(), address: Type.String(), until: Type.Union([Time, Type.Null()]) }),
    {
      description: 'VIP addresses that only their last connections need; until null = as long as their service leaves.',
    },
  ),
  tableServices: Type.Integer({ description: 'Virtual services in the kernel, ours or not.' }),
  tableDestinations: Type.Integer({ description: 'Destinations in the kernel, ours or not.' }),
  connectionEntries: Type.Integer({
    description: 'Entries of the connection table: active, inactive and persistent ones of all destinations.',
  }),
  connectionTableSize: Type.Union([Type.Integer(), Type.Null()], {
    description:
      'Buckets of the connection table; more entries than buckets make every packet slower. null = not told.',
  }),
  version: Type.Union([Type.String(), Type.Null()], { description: 'Version of IPVS; null = not told.' }),
  countedAt: Type.Union([Time, Type.Null()], { description: 'When counters and connections were read.' }),
  lastRead: NullableTime,
  lastApply: NullableTime,
  lastOps: Type.Integer({ description: 'Operations of the last plan that was not empty.' }),
  opsTotal: Type.Integer({ description: 'Operations carried out since the start.' }),
  repairsTotal: Type.Integer({ description: 'Differences that a verification found and mended.' }),
  repairsByKind: Type.Record(Type.String(), Type.Integer(), {
    description: `The same by kind: ${DRIFT_KINDS.join(', ')}.`,
  }),
  repairs: Type.Array(Type.Object({ at: Time, kind: Type.String(), found: Type.String() }), {
    description: 'The last of them, at most 50, oldest first.',
  }),
  settings: Type.Array(SettingView, { description: 'Settings of IPVS as a whole that are ours.' }),
  failures: Type.Array(Type.String(), { description: 'What the kernel refused in the last pass.' }),
});
export type KernelView = Static<typeof KernelView>;

const EventView = Type.Object({
  at: Time,
  what: Type.String({ description: 'Such as "real web/a is down".' }),
  why: Type.String({ description: 'What it was decided by.' }),
});

export const StatusView = Type.Object({
  agent: Type.String({ description: 'Name of the agent.' }),
  version: Type.String({ description: 'Version of vipkeeper.' }),
  pid: Type.Integer({ description: 'Its process.' }),
  startedAt: Time,
  now: Time,
  ready: Type.Boolean({ description: 'Whether it does all of its work.' }),
  notReady: Type.Array(Type.String(), { description: 'Why it does not.' }),
  store: Type.Object({
    source: Type.String({ description: 'zookeeper, etcd or directory.' }),
    state: Type.Enum(['connecting', 'connected', 'closed'], { description: 'State of the session.' }),
    since: NullableTime,
    session: Type.Union([Type.String(), Type.Null()], { description: 'Session or lease.' }),
    server: Type.Union([Type.String(), Type.Null()], { description: 'The member that we are connected to.' }),
    lastError: Type.Union([Type.String(), Type.Null()], {
      description: 'Why there is no connection, or why the configuration cannot be read over it.',
    }),
    publishing: Type.String({ description: 'ok, or why health is not being published.' }),
  }),
  configuration: Type.Object({
    seenRevision: Type.Union([Type.String(), Type.Null()], { description: 'What the store holds.' }),
    acceptedRevision: Type.Union([Type.String(), Type.Null()], { description: 'What is in force.' }),
    position: Type.Union([Type.String(), Type.Null()], { description: "The store's own position." }),
    acceptedAt: NullableTime,
    origin: Type.Enum(['none', 'store', 'last-known-good'], { description: 'Where what is in force was read.' }),
    ageSeconds: Type.Union([Type.Number(), Type.Null()], {
      description: 'Since the store last confirmed the accepted set.',
    }),
  }),
  problems: Type.Array(ProblemView, { description: 'What is wrong with records.' }),
  holds: Type.Array(HoldView, { description: 'Changes that the guard holds.' }),
  drains: Type.Array(DrainView, { description: 'The records of drains.' }),
  vips: Type.Array(VipView, { description: 'The VIPs with a service on this agent.' }),
  services: Type.Array(ServiceView, { description: 'The services on this agent.' }),
  peers: Type.Array(PeerView, { description: 'The BGP peers.' }),
  kernel: KernelView,
  history: Type.Array(EventView, {
    description: 'What was decided otherwise than before: the last 100, oldest first.',
  }),
});
export type StatusView = Static<typeof StatusView>;
