import { describe, expect, it } from 'vitest';
import { METRICS } from '../../../src/api/metric-table.ts';
import { MetricsRegistry, renderMetrics } from '../../../src/api/metrics.ts';
import { realView, serviceView, statusView } from '../../fakes/status-view.ts';

/** Reads the text format of Prometheus (version 0.0.4): series → value, and the TYPE lines. */
function parse(text: string): { readonly series: Map<string, number>; readonly types: Map<string, string> } {
  const series = new Map<string, number>();
  const types = new Map<string, string>();
  for (const line of text.split('\n')) {
    if (line === '' || line.startsWith('# HELP ')) continue;
    const type = /^# TYPE ([a-zA-Z_:][a-zA-Z0-9_:]*) (counter|gauge|histogram|summary)$/.exec(line);
    if (type !== null) {
      if (types.has(type[1] ?? '')) throw new Error(`twice: ${line}`);
      types.set(type[1] ?? '', type[2] ?? '');
      continue;
    }
    const sample = /^([a-zA-Z_:][a-zA-Z0-9_:]*(?:\{(?:[a-zA-Z_]\w*="(?:[^"\\\n]|\\.)*",?)*\})?) (\S+)$/.exec(line);
    if (sample === null) throw new Error(`not a line of the text format: ${line}`);
    if (series.has(sample[1] ?? '')) throw new Error(`twice: ${line}`);
    series.set(sample[1] ?? '', Number(sample[2]));
  }
  return { series, types };
}

describe('the metrics of the read model', () => {
  it('say what the status says', async () => {
    const { series, types } = parse(await renderMetrics(statusView(), { passes: 9, refusals: 1, kernelReads: 4 }));
    const expected: Record<string, number> = {
      'vipkeeper_info{version="1.2.3",agent="lb1"}': 1,
      vipkeeper_ready: 1,
      vipkeeper_store_connected: 1,
      vipkeeper_store_publishing: 1,
      vipkeeper_config_age_seconds: 1.5,
      vipkeeper_config_current: 1,
      vipkeeper_problems: 1,
      vipkeeper_holds: 1,
      vipkeeper_drains: 1,
      'vipkeeper_service_quorum_held{service="web-https"}': 1,
      'vipkeeper_service_sorry{service="web-https"}': 0,
      'vipkeeper_service_connections_total{service="web-https"}': 4711,
      'vipkeeper_service_reals{service="web-https",verdict="up"}': 1,
      'vipkeeper_service_reals{service="web-https",verdict="down"}': 1,
      'vipkeeper_service_reals{service="web-https",verdict="unknown"}': 0,
      'vipkeeper_real_up{service="web-https",real="a"}': 1,
      'vipkeeper_real_up{service="web-https",real="b"}': 0,
      'vipkeeper_real_weight{service="web-https",real="a"}': 10,
      'vipkeeper_real_weight{service="web-https",real="b"}': 0,
      'vipkeeper_real_active_connections{service="web-https",real="a"}': 4,
      'vipkeeper_real_inactive_connections{service="web-https",real="a"}': 2,
      'vipkeeper_real_check_latency_seconds{service="web-https",real="a"}': 0.00325,
      'vipkeeper_vip_advertised{vip="web"}': 1,
      'vipkeeper_bgp_peer_established{peer="tor1"}': 1,
      'vipkeeper_bgp_peer_announced_routes{peer="tor1"}': 2,
      'vipkeeper_bgp_peer_flaps_total{peer="tor1"}': 3,
      vipkeeper_kernel_services: 2,
      vipkeeper_kernel_foreign_services: 1,
      vipkeeper_kernel_leaving: 1,
      vipkeeper_kernel_ops_total: 17,
      vipkeeper_reconcile_passes_total: 9,
      vipkeeper_kernel_refusals_total: 1,
      vipkeeper_kernel_reads_total: 4,
      'vipkeeper_drain_connections{drain="chg-1"}': 6,
      'vipkeeper_drain_done{drain="chg-1"}': 0,
      'vipkeeper_service_active_connections{service="web-https"}': 8,
      'vipkeeper_service_persistent_connections{service="web-https"}': 2,
      'vipkeeper_service_out_bytes_total{service="web-https"}': 2_000_000,
      'vipkeeper_service_in_packets_per_second{service="web-https"}': 10,
      'vipkeeper_real_connections_total{service="web-https",real="a"}': 100,
      'vipkeeper_real_in_bytes_per_second{service="web-https",real="b"}': 800,
      'vipkeeper_real_persistent_connections{service="web-https",real="a"}': 1,
      'vipkeeper_kernel_repairs_total{kind="service-gone"}': 1,
      'vipkeeper_kernel_repairs_total{kind="real-edited"}': 0,
      vipkeeper_kernel_table_services: 3,
      vipkeeper_kernel_table_destinations: 5,
      vipkeeper_kernel_connection_entries: 14,
      vipkeeper_kernel_connection_table_buckets: 4_096,
      vipkeeper_kernel_counters_timestamp_seconds: Date.parse('2026-01-01T01:02:02Z') / 1_000,
      'vipkeeper_metrics_reals_omitted{series="state"}': 0,
      'vipkeeper_metrics_reals_omitted{series="traffic"}': 0,
    };
    for (const [name, value] of Object.entries(expected)) expect.soft(series.get(name), name).toBe(value);
    expect(types.get('vipkeeper_kernel_ops_total')).toBe('counter');
    expect(types.get('vipkeeper_real_up')).toBe('gauge');
  });

  it('leave out what is not known rather than say zero', async () => {
    const status = statusView();
    const configuration = { ...status.configuration, acceptedRevision: null, seenRevision: null, ageSeconds: null };
    const { series } = parse(await renderMetrics({ ...status, configuration }, null));
    expect(series.has('vipkeeper_config_age_seconds')).toBe(false);
    expect(series.has('vipkeeper_real_check_latency_seconds{service="web-https",real="b"}')).toBe(false);
    expect(series.has('vipkeeper_reconcile_passes_total')).toBe(false);
    expect(series.get('vipkeeper_config_current')).toBe(0);
  });

  it('escape what an operator put into a label', async () => {
    const { series } = parse(await renderMetrics(statusView({ agent: 'a"b\\c\nd' }), null));
    expect(series.get('vipkeeper_info{version="1.2.3",agent="a\\"b\\\\c\\nd"}')).toBe(1);
  });

  it('bound the series of reals, and say how many are left out', async () => {
    const many = Array.from({ length: 10_001 }, (_, index) => realView(`r${index}`));
    const services = [serviceView('one', many), serviceView('two', many)];
    const { series } = parse(await renderMetrics(statusView({ services }), null));
    const shown = (metric: string) => [...series.keys()].filter((name) => name.startsWith(`${metric}{`)).length;
    expect(shown('vipkeeper_real_up')).toBe(20_000);
    expect(shown('vipkeeper_real_in_bytes_total')).toBe(2_000);
    expect(series.get('vipkeeper_metrics_reals_omitted{series="state"}')).toBe(2);
    expect(series.get('vipkeeper_metrics_reals_omitted{series="traffic"}')).toBe(18_002);
    expect(shown('vipkeeper_service_in_bytes_total')).toBe(2);
    expect(series.get('vipkeeper_service_reals{service="two",verdict="up"}')).toBe(10_001);
  });
});

describe('a scrape of many reals', () => {
  it('lets others have a turn between the parts of a metric', async () => {
    const reals = Array.from({ length: 5_000 }, (_, index) => realView(`r${index}`));
    const few = await turnsDuring(renderMetrics(statusView({ services: [serviceView('one', [])] }), null));
    const many = await turnsDuring(renderMetrics(statusView({ services: [serviceView('one', reals)] }), null));
    const ofReals = METRICS.filter(({ labels }) => labels.includes('real')).length;
    expect(few).toBeGreaterThanOrEqual(METRICS.length);
    // Two thousand have counters of traffic, all of them have the rest: every metric has more parts than one.
    expect(many - few).toBeGreaterThanOrEqual(ofReals);
  });
});

describe('a scrape of many services', () => {
  it('looks at the reals of each once, a thousand in a turn', async () => {
    const reals = Array.from({ length: 500 }, (_, index) => realView(`r${index}`));
    let turn = 0;
    const looks: [string, number][] = [];
    const services = ['a', 'b', 'c', 'd', 'e'].map((name) => ({
      ...serviceView(name, reals),
      get reals() {
        if (looks.push([name, turn]) === 1)
          setImmediate(function next() {
            turn++;
            if (looks.length < 5) setImmediate(next);
          });
        return reals;
      },
    }));
    await renderMetrics({ ...statusView(), services }, null);
    expect(looks).toEqual([
      ['a', 0],
      ['b', 0],
      ['c', 1],
      ['d', 1],
      ['e', 2],
    ]);
  });
});

/** How often the event loop came round until it was done. */
async function turnsDuring(work: Promise<unknown>): Promise<number> {
  let turns = 0;
  let isDone = false;
  const count = (): void => {
    turns++;
    if (!isDone) setImmediate(count);
  };
  setImmediate(count);
  await work;
  isDone = true;
  return turns;
}

describe('the limits of a scrape', () => {
  it.each([
    [{ reals: 1, traffic: 5 }, 1, 1],
    [{ reals: 2, traffic: 1 }, 2, 1],
    [{ reals: 2, traffic: 0 }, 2, 0],
    [{ reals: 0, traffic: 9 }, 0, 0],
  ])('are those of the agent: %j', async (limits, state, traffic) => {
    const registry = new MetricsRegistry(undefined, () => limits);
    const { series } = parse(await registry.render(() => statusView()));
    const shown = (metric: string) => [...series.keys()].filter((name) => name.startsWith(`${metric}{`)).length;
    expect([shown('vipkeeper_real_up'), shown('vipkeeper_real_connections_total')]).toEqual([state, traffic]);
    expect(series.get('vipkeeper_metrics_reals_omitted{series="state"}')).toBe(2 - state);
    expect(series.get('vipkeeper_metrics_reals_omitted{series="traffic"}')).toBe(2 - traffic);
  });
});

describe('the names of metrics', () => {
  it.each(METRICS.map((metric) => [metric.name, metric] as const))('%s follows the conventions', (name, metric) => {
    expect(name).toMatch(/^vipkeeper_[a-z][a-z_]*$/);
    expect(name.endsWith('_total')).toBe(metric.type === 'counter');
    expect(metric.help).toMatch(/^[A-Z].{10,}\.$/s);
  });

  it('are unique', () => {
    expect(new Set(METRICS.map(({ name }) => name)).size).toBe(METRICS.length);
  });
});

describe('a scrape', () => {
  it('adds the process and the requests of the API', async () => {
    const metrics = new MetricsRegistry();
    metrics.countRequest('/v1/status', 200);
    metrics.countRequest('/v1/status', 200);
    const { series } = parse(await metrics.render(() => statusView()));
    expect(series.get('vipkeeper_api_requests_total{route="/v1/status",code="200"}')).toBe(2);
    expect(series.get('process_resident_memory_bytes')).toBeGreaterThan(1_000_000);
  });

  it('is shared by those who ask at the same time', async () => {
    let asked = 0;
    const status = () => {
      asked++;
      return statusView();
    };
    const metrics = new MetricsRegistry();
    const [first, second] = await Promise.all([metrics.render(status), metrics.render(status)]);
    expect(first).toBe(second);
    expect(asked).toBe(1);
    await metrics.render(status);
    expect(asked).toBe(2);
  });
});
