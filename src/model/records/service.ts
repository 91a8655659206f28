import Type from 'typebox';
import type { Static } from 'typebox';
import type { FieldOptions } from '../fields.ts';
import {
  choice,
  closedObject,
  duration,
  durationWithin,
  flag,
  hostAddress,
  integer,
  name,
  nestedObject,
  port,
} from '../fields.ts';

/** ip_vs schedulers of Linux 6.x (net/netfilter/ipvs/ip_vs_*.c). */
export const SCHEDULERS = [
  'rr',
  'wrr',
  'lc',
  'wlc',
  'lblc',
  'lblcr',
  'dh',
  'sh',
  'sed',
  'nq',
  'fo',
  'ovf',
  'mh',
  'twos',
] as const;

export const SCHEDULER_FLAGS = [
  'flag-1',
  'flag-2',
  'flag-3',
  'sh-fallback',
  'sh-port',
  'mh-fallback',
  'mh-port',
] as const;

/** One port or a range, "443" or "8000-8010". */
export const PORTS_PATTERN = '^(0|[1-9][0-9]{0,4})(-[1-9][0-9]{0,4})?$';

const portsAreOrdered = (value: string): boolean => {
  const [first = '', last = first] = value.split('-');
  return Number(last) <= 65_535 && Number(first) <= Number(last) && (Number(first) > 0 || last === first);
};

const Tunnel = nestedObject({
  tunnel: choice(['ipip', 'gue', 'gre'], { description: 'The encapsulation.' }),
  port: Type.Optional(port({ description: 'UDP port of the decapsulator; gue only, and required there.' })),
  checksum: choice(['none', 'full', 'remote'], {
    default: 'none',
    description: 'Checksum of the outer header: none, full, or remote checksum offload (gue only).',
  }),
});

function forward(options: Partial<FieldOptions> = {}) {
  return Type.Union([Type.Literal('nat'), Type.Literal('direct'), Tunnel], {
    description: 'How packets reach the real: NAT (-m), direct routing (-g, DR), or a tunnel (-i, TUN).',
    allowed: '"nat", "direct" or { "tunnel": "ipip" | "gue" | "gre", … }',
    ...options,
  });
}

/** Forwarding without a default: where it is absent, the service's applies. */
export const Forward = forward();
export type Forward = Static<typeof Forward>;

export const ADMIN_STATES = ['enabled', 'drain', 'disabled'] as const;
export type AdminState = (typeof ADMIN_STATES)[number];

export const LabelSelector = Type.Record(Type.String(), Type.String(), {
  minProperties: 1,
  description: 'Labels that an agent must have, all of them; absent = every agent.',
  allowed: 'an object with at least one label (leave the field out for every agent)',
});

export const HealthPolicy = nestedObject(
  {
    rise: integer(1, 100, { default: 1, description: 'Consecutive successes before a real is up again.' }),
    fall: integer(1, 100, { default: 2, description: 'Consecutive failures before a real is down.' }),
    initial: choice(['unknown', 'up'], {
      default: 'unknown',
      description: 'What a real counts as before its first verdict: "unknown" gets no traffic yet, "up" does.',
    }),
    whenDown: choice(['quiesce', 'remove'], {
      default: 'quiesce',
      description: 'A real that is down: weight 0, so that its connections end by themselves, or taken out.',
    }),
    floor: Type.Number({
      minimum: 0,
      maximum: 1,
      default: 0,
      description: 'At least this share of the pooled reals stays in, although they fail (fail open); 0 = off.',
      allowed: 'a number, 0 to 1',
    }),
    slowStart: durationWithin('0s', '1d', {
      default: '0s',
      description: 'After coming up, the weight rises to its full value over this time; 0s = at once.',
    }),
  },
  { default: {}, description: 'How verdicts turn into traffic.' },
);

/** What goes for a drain, and for whatever else leaves the service. */
export const DrainPolicy = nestedObject(
  {
    over: durationWithin('0s', '1d', {
      default: '0s',
      description: 'The weight of a real that is drained steps down to 0 over this time; 0s = at once.',
    }),
    timeout: Type.Optional(
      durationWithin('0s', '30d', {
        description:
          "How long connections may last from then on, until the real is deleted; absent = the agent's drainTimeout.",
      }),
    ),
  },
  {
    default: {},
    description:
      'How reals leave: drained, disabled, deleted, or moved to another address; also when the whole service is.',
  },
);

export const Quorum = Type.Union(
  [
    nestedObject({
      weight: integer(1, 2_147_483_647, { description: 'Sum of the configured weights of up, undrained reals.' }),
      hysteresis: integer(0, 2_147_483_647, { default: 0, description: 'Gained at q+h, lost below q-h.' }),
    }),
    nestedObject({
      reals: integer(1, 65_535, { description: 'Number of up, undrained reals.' }),
      hysteresis: integer(0, 65_535, { default: 0, description: 'Gained at q+h, lost below q-h.' }),
    }),
  ],
  {
    default: { reals: 1 },
    description: 'What must be up for the service to count as held; BGP follows it.',
    allowed: '{ "weight": N, "hysteresis": H } or { "reals": N, "hysteresis": H }',
  },
);
export type Quorum = Static<typeof Quorum>;

export const AddressMatch = nestedObject({
  ports: Type.Array(
    Type.Refine(
      Type.String({
        pattern: PORTS_PATTERN,
        description: 'One port or one range.',
        allowed: 'a string with a port or a range, such as "443" or "8000-8010" ("0" = every port)',
      }),
      portsAreOrdered,
      () => 'must be ports in order',
    ),
    { minItems: 1, maxItems: 256, description: 'Ports of the service.', allowed: 'a list of 1 to 256 ports or ranges' },
  ),
  protocols: Type.Array(choice(['tcp', 'udp', 'sctp'], { description: 'A transport protocol.' }), {
    minItems: 1,
    maxItems: 3,
    uniqueItems: true,
    default: ['tcp'],
    description: 'Transport protocols of the service.',
    allowed: 'a list of different ones of "tcp", "udp", "sctp"',
  }),
});

export const PacketMarkRules = nestedObject(
  {
    ports: AddressMatch.properties.ports,
    protocols: AddressMatch.properties.protocols,
  },
  {
    description:
      'Packets that the agent marks itself, on the addresses of the VIP, by rules of nf_tables (the host needs the ' +
      'program nft); absent = rules of your own set the mark.',
  },
);

export const FwmarkMatch = nestedObject({
  fwmark: integer(1, 4_294_967_295, { description: 'The firewall mark that selects packets (-f).' }),
  families: Type.Array(choice(['ipv4', 'ipv6'], { description: 'An address family.' }), {
    minItems: 1,
    maxItems: 2,
    uniqueItems: true,
    default: ['ipv4'],
    description: 'Families that the mark is used for.',
    allowed: 'a list of different ones of "ipv4", "ipv6"',
  }),
  mark: Type.Optional(PacketMarkRules),
});

export const Persistence = nestedObject(
  {
    timeout: duration({ default: '360s', description: 'How long a client stays with its real; whole seconds (-p).' }),
    mask: integer(1, 32, {
      default: 32,
      description: 'IPv4 clients of one network of this length share a real (-M, persistence_granularity).',
    }),
    prefixLength: integer(1, 128, { default: 128, description: 'The same for IPv6 clients.' }),
    engine: Type.Optional(choice(['sip'], { description: 'Persistence engine (--pe): by SIP Call-ID (udp).' })),
  },
  { description: 'Clients return to the real that they had; absent = no persistence.' },
);

export const ServiceRecord = closedObject(
  {
    vip: name({ description: 'The VIP record that the service is on.' }),
    match: Type.Union([AddressMatch, FwmarkMatch], {
      description: 'Which packets: ports and protocols on the addresses of the VIP, or a firewall mark.',
      allowed: '{ "ports": […], "protocols": […] } or { "fwmark": N, "families": […] }',
    }),
    state: choice(ADMIN_STATES, {
      default: 'enabled',
      description: 'enabled; drain = all reals drained, withdrawn; disabled = not in the kernel at all.',
    }),
    scheduler: choice(SCHEDULERS, {
      default: 'wlc',
      description: 'IPVS scheduler: lvs_sched of keepalived, -s of ipvsadm.',
    }),
    schedulerFlags: Type.Array(choice(SCHEDULER_FLAGS, { description: 'A flag of the scheduler.' }), {
      maxItems: 3,
      uniqueItems: true,
      default: [],
      description:
        'Flags of the scheduler (-b): sh-* go with sh, mh-* with mh, flag-1 to flag-3 with any (sh, mh: two).',
      allowed: 'a list of flags of the scheduler',
    }),
    forward: forward({ default: 'nat' }),
    persistence: Type.Optional(Persistence),
    onePacket: flag({ default: false, description: 'One-packet scheduling (ops, -o): udp and firewall marks only.' }),
    checks: Type.Array(name({ description: 'The name of a check record.' }), {
      maxItems: 16,
      uniqueItems: true,
      default: [],
      description: 'Checks that every real must pass, all of them; none = always up.',
      allowed: 'a list of different names of checks',
    }),
    health: HealthPolicy,
    drain: DrainPolicy,
    quorum: Quorum,
    sorry: Type.Optional(
      nestedObject(
        {
          address: hostAddress({ description: 'Address of the sorry server.' }),
          port: Type.Optional(port({ description: "Port; absent = the service's." })),
          forward: Type.Optional(Forward),
        },
        { description: 'Takes the traffic while the quorum is lost; never checked.' },
      ),
    ),
    agents: Type.Optional(LabelSelector),
  },
  { description: 'A virtual service on a VIP.' },
);
export type ServiceRecord = Static<typeof ServiceRecord>;
