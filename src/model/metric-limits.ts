/** How many reals have series of their own in one scrape, in order of their services. */
export interface MetricLimits {
  /** Verdict, weight, connections: a dozen series each. */
  readonly reals: number;
  /** Counters and rates of traffic: another ten. */
  readonly traffic: number;
}

export const DEFAULT_METRIC_LIMITS: MetricLimits = { reals: 20_000, traffic: 2_000 };
