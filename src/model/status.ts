import Type from 'typebox';
import type { Static } from 'typebox';

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

export const RealView = Type.Object({
  name: Type.String(),
  target: Type.String({ description: 'Address and port that is checked.' }),
  state: Type.String({ description: "The operators' wish: enabled, drain, disabled, or leaving." }),
  verdict: Type.Enum(['up', 'down', 'unknown']),
  since: NullableTime,
  cause: Type.String({ description: 'Why the verdict is what it is.' }),
  latencyMs: Type.Union([Type.Number(), Type.Null()]),
  configuredWeight: Type.Integer(),
  weight: Type.Integer({ description: 'Weight in force.' }),
  kept: Type.Boolean({ description: 'In the pool although it fails: the floor holds it.' }),
  reason: Type.String({ description: 'Why it has this weight.' }),
  activeConnections: Type.Integer(),
  inactiveConnections: Type.Integer(),
});
export type RealView = Static<typeof RealView>;

export const ServiceView = Type.Object({
  name: Type.String(),
  vip: Type.String(),
  state: Type.String(),
  scheduler: Type.String(),
  kernelServices: Type.Integer({ description: 'Kernel services that it expands to.' }),
  quorum: Type.Enum(['held', 'lost']),
  quorumCause: Type.String(),
  sorry: Type.Boolean({ description: 'The sorry server takes the traffic.' }),
  connections: Type.Number({ description: 'Connections scheduled since the kernel services were made.' }),
  reals: Type.Array(RealView),
});
export type ServiceView = Static<typeof ServiceView>;

export const VipView = Type.Object({
  name: Type.String(),
  addresses: Type.Array(Type.String()),
  interface: Type.Union([Type.String(), Type.Null()]),
  advertised: Type.Boolean(),
  reason: Type.String({ description: 'Why it is, or is not, announced.' }),
});
export type VipView = Static<typeof VipView>;

export const PeerView = Type.Object({
  name: Type.String(),
  address: Type.String(),
  asn: Type.Integer(),
  state: Type.String(),
  since: NullableTime,
  announced: Type.Integer(),
  endOfRibSent: Type.Boolean(),
  lastError: Type.Union([Type.String(), Type.Null()]),
  flaps: Type.Integer(),
});
export type PeerView = Static<typeof PeerView>;

export const HoldView = Type.Object({
  revision: Type.String({ description: 'The revision that an approval must name.' }),
  why: Type.String(),
  since: Time,
  lost: Type.Array(Type.String(), { description: 'What the change would take away.' }),
});
export type HoldView = Static<typeof HoldView>;

export const KernelView = Type.Object({
  adapter: Type.String(),
  services: Type.Integer(),
  destinations: Type.Integer(),
  foreignServices: Type.Array(Type.String(), { description: 'In the kernel, not ours, never touched.' }),
  leaving: Type.Array(Type.Object({ service: Type.String(), real: Type.String(), until: Time })),
  lastRead: NullableTime,
  lastApply: NullableTime,
  lastOps: Type.Integer({ description: 'Operations of the last plan that was not empty.' }),
  opsTotal: Type.Integer(),
  repairsTotal: Type.Integer({ description: 'Differences that a verification found and mended.' }),
  failures: Type.Array(Type.String(), { description: 'What the kernel refused in the last pass.' }),
});
export type KernelView = Static<typeof KernelView>;

export const StatusView = Type.Object({
  agent: Type.String(),
  version: Type.String(),
  pid: Type.Integer(),
  startedAt: Time,
  now: Time,
  ready: Type.Boolean(),
  notReady: Type.Array(Type.String()),
  store: Type.Object({
    source: Type.String(),
    state: Type.Enum(['connecting', 'connected', 'closed']),
    since: NullableTime,
    session: Type.Union([Type.String(), Type.Null()]),
    server: Type.Union([Type.String(), Type.Null()]),
    lastError: Type.Union([Type.String(), Type.Null()]),
    publishing: Type.String({ description: 'ok, or why health is not being published.' }),
  }),
  configuration: Type.Object({
    seenRevision: Type.Union([Type.String(), Type.Null()]),
    acceptedRevision: Type.Union([Type.String(), Type.Null()]),
    position: Type.Union([Type.String(), Type.Null()]),
    acceptedAt: NullableTime,
    origin: Type.Enum(['none', 'store', 'last-known-good']),
    ageSeconds: Type.Union([Type.Number(), Type.Null()], {
      description: 'Since the store last confirmed the accepted set.',
    }),
  }),
  problems: Type.Array(ProblemView),
  holds: Type.Array(HoldView),
  drains: Type.Array(
    Type.Object({
      name: Type.String(),
      target: Type.String(),
      by: Type.String(),
      why: Type.String(),
      until: NullableTime,
    }),
  ),
  vips: Type.Array(VipView),
  services: Type.Array(ServiceView),
  peers: Type.Array(PeerView),
  kernel: KernelView,
});
export type StatusView = Static<typeof StatusView>;
