import { nearestName } from '../../model/names.ts';
import type { Problem } from '../../model/problem.ts';
import type { RecordSet } from '../../model/record-set.ts';
import type { DesiredAgent } from './desired-state.ts';
import { findingInWords } from './findings.ts';

/** Overrides of services or reals that no record names: most likely misspelt. */
export function overrideAdvice(agent: DesiredAgent, records: RecordSet): Problem[] {
  const path = agent.sources.at(-1) ?? 'config/agents';
  const problems: Problem[] = [];
  const advise = (field: string, kind: string, name: string, names: ReadonlyMap<string, unknown>): void => {
    const near = names.size > MAX_CANDIDATES ? undefined : nearestName(name, [...names.keys()]);
    const allowed = `the name of a ${kind}${near === undefined ? '' : `, such as "${near}"`}`;
    problems.push({ path, ...findingInWords(field, `no ${kind} "${name}"`, allowed), effect: 'in force' });
  };
  for (const [service, override] of Object.entries(agent.overrides)) {
    if (!records.services.has(service)) {
      advise(`overrides.${service}`, 'service', service, records.services);
      continue;
    }
    const reals = records.reals.get(service) ?? new Map<string, unknown>();
    for (const real of Object.keys(override.reals)) {
      if (!reals.has(real)) advise(`overrides.${service}.reals.${real}`, 'real', real, reals);
    }
  }
  return problems;
}

/** Names to look through for one that may have been meant. */
const MAX_CANDIDATES = 1_000;
