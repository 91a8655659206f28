import { setImmediate as nextTurn } from 'node:timers/promises';
import { Counter, Gauge, Registry, collectDefaultMetrics } from 'prom-client';
import type { MetricObjectWithValues, MetricValue } from 'prom-client';
import { DEFAULT_METRIC_LIMITS } from '../model/metric-limits.ts';
import type { MetricLimits } from '../model/metric-limits.ts';
import type { ServiceView, StatusView } from '../model/status.ts';
import type { AgentCounters, MetricDefinition, Scrape, ShownReal } from './metric.ts';
import { METRICS } from './metric-table.ts';

export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

/** The metric about the API itself; the others are in the table. */
export const API_REQUESTS = {
  name: 'vipkeeper_api_requests_total',
  help: 'Answers of the API, by route and status code.',
  labels: ['route', 'code'],
} as const;

type Values = MetricValue<string>[];

/** A metric may have ten thousand series, which take 30 ms to write. */
const SERIES_A_TURN = 1_000;

/** The metrics that are made from the read model, as the text that Prometheus reads. */
export async function renderMetrics(
  status: StatusView,
  counters: AgentCounters | null,
  limits: MetricLimits = DEFAULT_METRIC_LIMITS,
): Promise<string> {
  const services = await writtenOut(status.services);
  const scrape: Scrape = { status: { ...status, services }, counters, ...shownReals(services, limits) };
  await nextTurn();
  const registry = new Registry();
  const blocks: string[] = [];
  for (const definition of METRICS) {
    const samples = definition.samples(scrape);
    let from = 0;
    const values = (): Values =>
      samples.slice(from, from + SERIES_A_TURN).map(({ labels, value }) => ({ labels, value }));
    if (definition.type === 'counter') new TableCounter(definition, values, registry);
    else new TableGauge(definition, values, registry);
    do {
      const text = await registry.getSingleMetricAsString(definition.name);
      blocks.push(from === 0 ? text : seriesOf(text));
      from += SERIES_A_TURN;
      // The reconciler shares this thread: between two parts it gets its turn.
      await nextTurn();
    } while (from < samples.length);
  }
  return `${blocks.join('\n')}\n`;
}

/** Without the comments that begin a metric, "# HELP …" and "# TYPE …". */
function seriesOf(text: string): string {
  return text.slice(text.indexOf('\n', text.indexOf('\n') + 1) + 1);
}

/** Looks at the reals of each service once: the read model may put them together only then, and each time anew. */
async function writtenOut(services: readonly ServiceView[]): Promise<ServiceView[]> {
  const written: ServiceView[] = [];
  let reals = 0;
  for (const service of services) {
    const copy = { ...service };
    written.push(copy);
    reals += copy.reals.length;
    if (reals < SERIES_A_TURN) continue;
    reals = 0;
    await nextTurn();
  }
  return written;
}

/** Bounds the series: the first reals in order of their services; what is told of services always covers all. */
function shownReals(
  services: readonly ServiceView[],
  limits: MetricLimits,
): Pick<Scrape, 'reals' | 'trafficReals' | 'omitted'> {
  const all = services.flatMap((service) => service.reals.map((real): ShownReal => ({ service, real })));
  const reals = all.slice(0, limits.reals);
  const trafficReals = reals.slice(0, limits.traffic);
  return {
    reals,
    trafficReals,
    omitted: { state: all.length - reals.length, traffic: all.length - trafficReals.length },
  };
}

/** A gauge whose values are taken from the read model when it is read, without a pass through the label index. */
class TableGauge extends Gauge {
  readonly #values: () => Values;

  constructor({ name, help, labels }: MetricDefinition, values: () => Values, registry: Registry) {
    super({ name, help, labelNames: labels, registers: [registry] });
    this.#values = values;
  }

  override async get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    return { ...(await super.get()), values: this.#values() };
  }
}

class TableCounter extends Counter {
  readonly #values: () => Values;

  constructor({ name, help, labels }: MetricDefinition, values: () => Values, registry: Registry) {
    super({ name, help, labelNames: labels, registers: [registry] });
    this.#values = values;
  }

  override async get(): Promise<MetricObjectWithValues<MetricValue<string>>> {
    return { ...(await super.get()), values: this.#values() };
  }
}

/** All metrics of one agent: the read model, what the agent counts, the API and the process. */
export class MetricsRegistry {
  readonly #counters: () => AgentCounters | null;
  readonly #limits: () => MetricLimits;
  readonly #process = new Registry();
  readonly #apiRequests: Counter;
  #rendering: Promise<string> | undefined;

  /** @param counters what the agent has counted so far; null = nothing is counted */
  constructor(
    counters: () => AgentCounters | null = () => null,
    limits: () => MetricLimits = () => DEFAULT_METRIC_LIMITS,
  ) {
    this.#counters = counters;
    this.#limits = limits;
    collectDefaultMetrics({ register: this.#process });
    const { name, help, labels } = API_REQUESTS;
    this.#apiRequests = new Counter({ name, help, labelNames: labels, registers: [this.#process] });
  }

  /** @param route the pattern of the route, never the path that was asked for: labels are bounded */
  countRequest(route: string, code: number): void {
    this.#apiRequests.inc({ route, code });
  }

  /** Scrapes that overlap share one answer. */
  render(status: () => StatusView): Promise<string> {
    this.#rendering ??= this.#render(status()).finally(() => {
      this.#rendering = undefined;
    });
    return this.#rendering;
  }

  async #render(status: StatusView): Promise<string> {
    return (await renderMetrics(status, this.#counters(), this.#limits())) + (await this.#process.metrics());
  }
}
