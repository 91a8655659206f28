import type { ServiceView, TrafficView } from '../model/status.ts';
import type { MetricDefinition, Sample, Scrape, ShownReal } from './metric.ts';

interface Figure {
  readonly field: keyof TrafficView;
  /** Of the metric, after "vipkeeper_service_" or "vipkeeper_real_". */
  readonly name: string;
  readonly type: MetricDefinition['type'];
  readonly help: string;
}

/** Each is there for services and for reals. */
const FIGURES: readonly Figure[] = [
  { field: 'connections', name: 'connections_total', type: 'counter', help: 'Connections that the kernel scheduled.' },
  { field: 'inPackets', name: 'in_packets_total', type: 'counter', help: 'Packets from clients.' },
  {
    field: 'outPackets',
    name: 'out_packets_total',
    type: 'counter',
    help: 'Packets to clients, as far as they come through here (NAT).',
  },
  { field: 'inBytes', name: 'in_bytes_total', type: 'counter', help: 'Bytes from clients.' },
  {
    field: 'outBytes',
    name: 'out_bytes_total',
    type: 'counter',
    help: 'Bytes to clients, as far as they come through here (NAT).',
  },
  {
    field: 'connectionsPerSecond',
    name: 'connections_per_second',
    type: 'gauge',
    help: "New connections per second, by the kernel's estimator.",
  },
  {
    field: 'inPacketsPerSecond',
    name: 'in_packets_per_second',
    type: 'gauge',
    help: "Packets from clients per second, by the kernel's estimator.",
  },
  {
    field: 'outPacketsPerSecond',
    name: 'out_packets_per_second',
    type: 'gauge',
    help: "Packets to clients per second, by the kernel's estimator.",
  },
  {
    field: 'inBytesPerSecond',
    name: 'in_bytes_per_second',
    type: 'gauge',
    help: "Bytes from clients per second, by the kernel's estimator.",
  },
  {
    field: 'outBytesPerSecond',
    name: 'out_bytes_per_second',
    type: 'gauge',
    help: "Bytes to clients per second, by the kernel's estimator.",
  },
];

export const TRAFFIC_METRICS: readonly MetricDefinition[] = [
  ...FIGURES.map(({ field, name, type, help }): MetricDefinition => {
    const sample = (service: ServiceView): Sample => {
      return { labels: { service: service.name }, value: service.traffic[field] };
    };
    const samples = ({ status }: Scrape): Sample[] => status.services.map(sample);
    return {
      name: `vipkeeper_service_${name}`,
      type,
      help: `${help} Over the whole service.`,
      labels: ['service'],
      samples,
    };
  }),
  ...FIGURES.map(({ field, name, type, help }): MetricDefinition => {
    const sample = ({ service, real }: ShownReal): Sample => {
      return { labels: { service: service.name, real: real.name }, value: real.traffic[field] };
    };
    const samples = ({ trafficReals }: Scrape): Sample[] => trafficReals.map(sample);
    return { name: `vipkeeper_real_${name}`, type, help, labels: ['service', 'real'], samples };
  }),
];
