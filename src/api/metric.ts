import type { RealView, ServiceView, StatusView } from '../model/status.ts';

/** Numbers that the agent counts and the read model does not hold. */
export interface AgentCounters {
  /** Passes of the reconciler. */
  readonly passes: number;
  /** Kernel operations that were refused. */
  readonly refusals: number;
  readonly kernelReads: number;
}

export interface ShownReal {
  readonly service: ServiceView;
  readonly real: RealView;
}

/** What one scrape shows: the read model once, so that all metrics of a scrape agree, and the reals that fit. */
export interface Scrape {
  readonly status: StatusView;
  readonly counters: AgentCounters | null;
  readonly reals: readonly ShownReal[];
  /** Those of them that have metrics of their traffic as well. */
  readonly trafficReals: readonly ShownReal[];
  /** How many have no metrics of their own: none at all, or none of their traffic. */
  readonly omitted: { readonly state: number; readonly traffic: number };
}

export interface Sample {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

export interface MetricDefinition {
  readonly name: string;
  readonly type: 'gauge' | 'counter';
  readonly help: string;
  readonly labels: readonly string[];
  samples(scrape: Scrape): readonly Sample[];
}
