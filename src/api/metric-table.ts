import type { DrainView, RealView, ServiceView, StatusView } from '../model/status.ts';
import type { AgentCounters, MetricDefinition, Sample, Scrape } from './metric.ts';
import { TRAFFIC_METRICS } from './traffic-metrics.ts';

type Definition<T> = Readonly<{ name: string; help: string; value: (item: T) => number | boolean | null }>;

function single(type: MetricDefinition['type'], { name, help, value }: Definition<StatusView>): MetricDefinition {
  return { name, help, type, labels: [], samples: ({ status }) => sample({}, value(status)) };
}

function ofService(type: MetricDefinition['type'], { name, help, value }: Definition<ServiceView>): MetricDefinition {
  const samples = ({ status }: Scrape): Sample[] =>
    status.services.flatMap((service) => sample({ service: service.name }, value(service)));
  return { name, help, type, labels: ['service'], samples };
}

function ofReal({ name, help, value }: Definition<RealView>): MetricDefinition {
  const samples = ({ reals }: Scrape): Sample[] =>
    reals.flatMap(({ service, real }) => sample({ service: service.name, real: real.name }, value(real)));
  return { name, help, type: 'gauge', labels: ['service', 'real'], samples };
}

/** Drains are few; that many have series of their own. */
const MAX_DRAIN_SERIES = 100;

function ofDrain({ name, help, value }: Definition<NonNullable<DrainView['progress']>>): MetricDefinition {
  const samples = ({ status }: Scrape): Sample[] =>
    status.drains
      .filter(({ progress }) => progress !== null)
      .slice(0, MAX_DRAIN_SERIES)
      .flatMap(({ name: drain, progress }) => (progress === null ? [] : sample({ drain }, value(progress))));
  return { name, help, type: 'gauge', labels: ['drain'], samples };
}

function ofPeer(
  type: MetricDefinition['type'],
  { name, help, value }: Definition<StatusView['peers'][number]>,
): MetricDefinition {
  const samples = ({ status }: Scrape): Sample[] =>
    status.peers.flatMap((peer) => sample({ peer: peer.name }, value(peer)));
  return { name, help, type, labels: ['peer'], samples };
}

function counted(name: string, help: string, counter: keyof AgentCounters): MetricDefinition {
  const samples = ({ counters }: Scrape): Sample[] => sample({}, counters === null ? null : counters[counter]);
  return { name, help, type: 'counter', labels: [], samples };
}

function sample(labels: Sample['labels'], value: number | boolean | null): Sample[] {
  return value === null ? [] : [{ labels, value: Number(value) }];
}

/** Every metric that is made from the read model; those of the process itself come from prom-client. */
export const METRICS: readonly MetricDefinition[] = [
  {
    name: 'vipkeeper_info',
    help: 'Always 1; version and name of the agent are the labels.',
    type: 'gauge',
    labels: ['version', 'agent'],
    samples: ({ status }) => [{ labels: { version: status.version, agent: status.agent }, value: 1 }],
  },
  single('gauge', {
    name: 'vipkeeper_ready',
    help: 'Whether the agent does all of its work (1) or /readyz gives reasons (0).',
    value: ({ ready }) => ready,
  }),
  single('gauge', {
    name: 'vipkeeper_store_connected',
    help: 'Whether the agent has a session with its store.',
    value: ({ store }) => store.state === 'connected',
  }),
  single('gauge', {
    name: 'vipkeeper_store_publishing',
    help: 'Whether health reaches the store.',
    value: ({ store }) => store.publishing === 'ok',
  }),
  single('gauge', {
    name: 'vipkeeper_config_age_seconds',
    help: 'Time since the store last confirmed the configuration in force; absent while there is none.',
    value: ({ configuration }) => configuration.ageSeconds,
  }),
  single('gauge', {
    name: 'vipkeeper_config_current',
    help: 'Whether the configuration in force is the newest one seen in the store.',
    value: ({ configuration: { seenRevision, acceptedRevision } }) =>
      acceptedRevision !== null && acceptedRevision === seenRevision,
  }),
  single('gauge', {
    name: 'vipkeeper_problems',
    help: 'Problems with records.',
    value: ({ problems }) => problems.length,
  }),
  single('gauge', {
    name: 'vipkeeper_holds',
    help: 'Changes that the guard holds until they are approved.',
    value: ({ holds }) => holds.length,
  }),
  single('gauge', {
    name: 'vipkeeper_drains',
    help: 'Drains in force.',
    value: ({ drains }) => drains.filter(({ inForce }) => inForce).length,
  }),
  ofDrain({
    name: 'vipkeeper_drain_connections',
    help: 'Active, inactive and persistent connections that are left on this agent of what is drained.',
    value: ({ connections: { active, inactive, persistent } }) => active + inactive + persistent,
  }),
  ofDrain({
    name: 'vipkeeper_drain_done',
    help: 'Whether all that is drained is out of the kernel of this agent.',
    value: ({ done }) => done,
  }),
  ofService('gauge', {
    name: 'vipkeeper_service_quorum_held',
    help: 'Whether the service has its quorum.',
    value: ({ quorum }) => quorum === 'held',
  }),
  {
    name: 'vipkeeper_service_reals',
    help: 'Reals of the service, by verdict.',
    type: 'gauge',
    labels: ['service', 'verdict'],
    samples: ({ status }) => status.services.flatMap(verdictsOf),
  },
  ofService('gauge', {
    name: 'vipkeeper_service_sorry',
    help: 'Whether the sorry server takes the traffic.',
    value: ({ sorry }) => sorry,
  }),
  ...(['active', 'inactive', 'persistent'] as const).map((kind) =>
    ofService('gauge', {
      name: `vipkeeper_service_${kind}_connections`,
      help: `${kind === 'persistent' ? 'Persistence templates' : `Connections that are ${kind}`}, over the whole service.`,
      value: ({ connections }) => connections[kind],
    }),
  ),
  ...TRAFFIC_METRICS,
  ofReal({
    name: 'vipkeeper_real_up',
    help: 'Whether the verdict of the checks is up (1), or down or unknown (0).',
    value: ({ verdict }) => verdict === 'up',
  }),
  ofReal({ name: 'vipkeeper_real_weight', help: 'Weight in force in the kernel.', value: ({ weight }) => weight }),
  ofReal({
    name: 'vipkeeper_real_kept',
    help: 'Whether the floor of the service keeps the real in the pool although it fails.',
    value: ({ kept }) => kept,
  }),
  ofReal({
    name: 'vipkeeper_real_active_connections',
    help: 'Active connections in the kernel.',
    value: ({ activeConnections }) => activeConnections,
  }),
  ofReal({
    name: 'vipkeeper_real_inactive_connections',
    help: 'Inactive connections in the kernel.',
    value: ({ inactiveConnections }) => inactiveConnections,
  }),
  ofReal({
    name: 'vipkeeper_real_persistent_connections',
    help: 'Persistence templates in the kernel: clients that would come back to the real.',
    value: ({ persistentConnections }) => persistentConnections,
  }),
  ofReal({
    name: 'vipkeeper_real_drain_done',
    help: 'Whether a real that is drained is out of the kernel; absent while it is not drained.',
    value: ({ drain }) => (drain === null ? null : drain.done),
  }),
  ofReal({
    name: 'vipkeeper_real_check_latency_seconds',
    help: 'Duration of the last check that finished; absent before the first.',
    value: ({ latencyMs }) => (latencyMs === null ? null : latencyMs / 1_000),
  }),
  {
    name: 'vipkeeper_vip_advertised',
    help: 'Whether the VIP is announced.',
    type: 'gauge',
    labels: ['vip'],
    samples: ({ status }) =>
      status.vips.map(({ name, advertised }) => ({ labels: { vip: name }, value: Number(advertised) })),
  },
  ofPeer('gauge', {
    name: 'vipkeeper_bgp_peer_established',
    help: 'Whether the BGP session is Established.',
    value: ({ state }) => state === 'established',
  }),
  ofPeer('gauge', {
    name: 'vipkeeper_bgp_peer_announced_routes',
    help: 'Routes announced on the current session.',
    value: ({ announced }) => announced,
  }),
  ofPeer('counter', {
    name: 'vipkeeper_bgp_peer_flaps_total',
    help: 'How often an Established session was lost.',
    value: ({ flaps }) => flaps,
  }),
  single('gauge', {
    name: 'vipkeeper_kernel_services',
    help: 'Virtual services of ours in the kernel.',
    value: ({ kernel }) => kernel.services,
  }),
  single('gauge', {
    name: 'vipkeeper_kernel_destinations',
    help: 'Destinations of ours in the kernel.',
    value: ({ kernel }) => kernel.destinations,
  }),
  single('gauge', {
    name: 'vipkeeper_kernel_table_services',
    help: 'Virtual services in the kernel, ours or not.',
    value: ({ kernel }) => kernel.tableServices,
  }),
  single('gauge', {
    name: 'vipkeeper_kernel_table_destinations',
    help: 'Destinations in the kernel, ours or not.',
    value: ({ kernel }) => kernel.tableDestinations,
  }),
  single('gauge', {
    name: 'vipkeeper_kernel_connection_entries',
    help: 'Entries of the connection table: active, inactive and persistent ones of all destinations.',
    value: ({ kernel }) => kernel.connectionEntries,
  }),
  single('gauge', {
    name: 'vipkeeper_kernel_connection_table_buckets',
    help: 'Buckets of the connection table; absent where the dataplane does not tell.',
    value: ({ kernel }) => kernel.connectionTableSize,
  }),
  single('gauge', {
    name: 'vipkeeper_kernel_counters_timestamp_seconds',
    help: 'When counters and connections were read, in seconds since 1970; absent before the first time.',
    value: ({ kernel }) => (kernel.countedAt === null ? null : Date.parse(kernel.countedAt) / 1_000),
  }),
  single('gauge', {
    name: 'vipkeeper_kernel_foreign_services',
    help: 'Virtual services in the kernel that are not ours and are never touched.',
    value: ({ kernel }) => kernel.foreignServices.length,
  }),
  single('gauge', {
    name: 'vipkeeper_kernel_leaving',
    help: 'Reals at weight 0 until their connections end.',
    value: ({ kernel }) => kernel.leaving.length,
  }),
  single('gauge', {
    name: 'vipkeeper_kernel_failures',
    help: 'Operations that the kernel refused in the last pass.',
    value: ({ kernel }) => kernel.failures.length,
  }),
  single('counter', {
    name: 'vipkeeper_kernel_ops_total',
    help: 'Operations carried out in the kernel.',
    value: ({ kernel }) => kernel.opsTotal,
  }),
  {
    name: 'vipkeeper_kernel_repairs_total',
    help: 'Differences that a verification found in the kernel and mended, by kind.',
    type: 'counter',
    labels: ['kind'],
    samples: ({ status }) =>
      Object.entries(status.kernel.repairsByKind).map(([kind, value]) => ({ labels: { kind }, value })),
  },
  counted('vipkeeper_kernel_refusals_total', 'Operations that the kernel refused.', 'refusals'),
  counted('vipkeeper_kernel_reads_total', 'How often the whole state of the kernel was read.', 'kernelReads'),
  counted('vipkeeper_reconcile_passes_total', 'Passes of the reconciler.', 'passes'),
  {
    name: 'vipkeeper_metrics_reals_omitted',
    help: 'Reals without metrics of their own (state), or without those of their traffic (traffic), for want of room.',
    type: 'gauge',
    labels: ['series'],
    samples: ({ omitted }) => Object.entries(omitted).map(([series, value]) => ({ labels: { series }, value })),
  },
];

function verdictsOf({ name, reals }: ServiceView): Sample[] {
  const counts = { up: 0, down: 0, unknown: 0 };
  for (const { verdict } of reals) counts[verdict]++;
  return Object.entries(counts).map(([verdict, value]) => ({ labels: { service: name, verdict }, value }));
}
