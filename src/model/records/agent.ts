import Type from 'typebox';
import type { Static } from 'typebox';
import {
  address,
  choice,
  closedObject,
  duration,
  hostAddress,
  integer,
  ipv4,
  nestedObject,
  port,
  secret,
} from '../fields.ts';
import { DEFAULT_METRIC_LIMITS } from '../metric-limits.ts';
import { KernelRecord } from './kernel.ts';
import { MAX_WEIGHT } from './real.ts';
import { ADMIN_STATES } from './service.ts';
import { Silence } from './vip.ts';

const asn = (description: string) =>
  integer(1, 4_294_967_295, { description, allowed: 'an AS number, 1 to 4294967295' });

export const PeerRecord = nestedObject({
  address: hostAddress({ description: "The peer's address." }),
  port: port({ default: 179, description: "The peer's TCP port." }),
  asn: asn("The peer's AS number."),
  password: Type.Optional(secret({ description: 'TCP-MD5 key (RFC 2385).' })),
  ttlSecurity: Type.Optional(
    integer(1, 254, { description: 'GTSM (RFC 5082): the peer is at most this many hops away.' }),
  ),
  multihop: Type.Optional(
    integer(1, 255, { description: 'TTL towards a peer that is not on our link; not with ttlSecurity.' }),
  ),
  localAddress: Type.Optional(address({ description: "The address to connect from; absent = the kernel's choice." })),
  nextHopIpv4: Type.Optional(ipv4({ description: 'Next hop of IPv4 routes, where it is not the session address.' })),
  nextHopIpv6: Type.Optional(address({ description: 'Next hop of IPv6 routes, where it is not the session address.' })),
  holdTime: Type.Optional(duration({ description: "Hold time for this peer; absent = the speaker's." })),
});
export type PeerRecord = Static<typeof PeerRecord>;

export const BgpRecord = nestedObject(
  {
    asn: asn('Our AS number.'),
    routerId: Type.Union([Type.Literal('auto'), ipv4({ description: 'BGP Identifier.' })], {
      default: 'auto',
      description: 'BGP Identifier; auto = the lowest global IPv4 address of the host.',
      allowed: '"auto" or an IPv4 address',
    }),
    holdTime: duration({ default: '9s', description: 'Hold time that we offer: 3s to 65535s, whole seconds.' }),
    connectRetry: duration({
      default: '2s',
      description: 'First pause before connecting again; grows up to 30 times.',
    }),
    gracefulRestart: duration({
      default: '30s',
      description:
        'How long peers keep our routes while we restart (RFC 4724), at most 4095s; 0s = no graceful restart.',
    }),
    silenced: Type.Union([Silence, Type.Null()], {
      default: null,
      description: 'All routes of this agent withdrawn while this is set.',
      allowed: '{ "by": …, "why": … } or null',
    }),
    peers: Type.Record(Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' }), PeerRecord, {
      default: {},
      maxProperties: 64,
      additionalProperties: false,
      description: 'The routers that we announce to, by name.',
      allowed: 'an object of at most 64 peers, by name',
    }),
  },
  { description: 'The BGP speaker of this agent; absent = no BGP.' },
);
export type BgpRecord = Static<typeof BgpRecord>;

export const Limits = nestedObject(
  {
    maxDeleteShare: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0.3,
      description: 'Losing a larger share of the services, or of the reals, within the window is held.',
      allowed: 'a number, 0 to 1',
    }),
    maxDeleteCount: integer(0, 1_000_000, {
      default: 2,
      description: 'Losing no more than this many is never held, whatever share they are.',
    }),
    window: duration({ default: '10m', description: 'The sliding window over which losses are counted.' }),
  },
  { default: {}, description: 'What the guard lets pass without approval.' },
);
export type Limits = Static<typeof Limits>;

export const Metrics = nestedObject(
  {
    reals: integer(0, 100_000, {
      default: DEFAULT_METRIC_LIMITS.reals,
      description: 'Reals with metrics of their own, a dozen each, in order of their services; 0 = none.',
    }),
    traffic: integer(0, 100_000, {
      default: DEFAULT_METRIC_LIMITS.traffic,
      description: 'Reals that have those of their traffic as well, another ten each.',
    }),
  },
  { default: {}, description: 'Bounds of what a scrape of /metrics answers; those of services are always there.' },
);

export const Overrides = Type.Record(
  Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' }),
  nestedObject({
    state: Type.Optional(choice(ADMIN_STATES, { description: 'State of the service on this agent.' })),
    reals: Type.Record(
      Type.String({ pattern: '^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$' }),
      nestedObject({
        weight: Type.Optional(integer(0, MAX_WEIGHT, { description: 'Weight of the real on this agent.' })),
        state: Type.Optional(choice(ADMIN_STATES, { description: 'State of the real on this agent.' })),
      }),
      { default: {}, additionalProperties: false, description: 'Reals of the service, by name.' },
    ),
  }),
  {
    default: {},
    additionalProperties: false,
    description: 'What is different on this agent, by service.',
    allowed: 'an object of services, by name',
  },
);

/** `config/agents/<agent>` is merged over `config/agents/_default` (RFC 7396), then validated as this. */
export const AgentSettings = closedObject(
  {
    labels: Type.Record(Type.String(), Type.String({ maxLength: 63, allowed: 'text of at most 63 characters' }), {
      default: {},
      maxProperties: 32,
      description: 'What services select agents by.',
      allowed: 'an object of at most 32 labels, each a text',
    }),
    bgp: Type.Union([BgpRecord, Type.Null()], {
      default: null,
      description: 'The BGP speaker; null = none.',
      allowed: 'an object with the BGP settings, or null',
    }),
    dataplane: choice(['ipvs', 'ipvsadm', 'nftables', 'memory'], {
      default: 'ipvs',
      description:
        'How services reach the kernel: IPVS over generic netlink or by the ipvsadm program; rules of nf_tables by the ' +
        'nft program, on hosts without IPVS; or not at all (dry run).',
    }),
    kernel: KernelRecord,
    limits: Limits,
    verifyInterval: duration({ default: '60s', description: 'How often the kernel is read and compared.' }),
    drainTimeout: duration({
      default: '5m',
      description:
        'How long a real that is drained or was taken out may keep its connections before it is deleted; 0s = no ' +
        "time at all, whatever a service's drain.timeout says.",
    }),
    metrics: Metrics,
    overrides: Overrides,
  },
  { description: 'Settings of one agent, or of all of them.' },
);
export type AgentSettings = Static<typeof AgentSettings>;
