import type { CheckCatalog } from '../../model/check-definition.ts';
import { RecordDecoder } from '../../model/decode.ts';
import { DEFAULT_AGENT } from '../../model/paths.ts';
import type { Problem } from '../../model/problem.ts';
import type { DecodeOutcome, RawRecord } from '../../model/record-set.ts';
import type { Viewpoint } from './viewpoints.ts';
import { agentKinds, identityOf, problemsSeenFrom, settingsProblems, supposedFor } from './viewpoints.ts';

/** One thing that is wrong with records, and who would find it. */
export interface Finding extends Problem {
  /** `advice`: the record is in force all the same. */
  readonly severity: 'error' | 'advice';
  /** Agents that meet it; null = all of those that were asked. */
  readonly agents: readonly string[] | null;
}

export interface LintOutcome {
  readonly findings: readonly Finding[];
  /** Agents whose view was taken: those that have a record, or the one that was asked for. */
  readonly agents: readonly string[];
  readonly revision: string;
}

/** Whose eyes, and under which names what they see is reported; null = of nobody in particular. */
type Look = readonly [viewpoint: Viewpoint, names: readonly string[] | null];

/**
 * Everything that is wrong with these records, as an agent judges them that has never seen others. Where labels select
 * a service, some agent with these labels is supposed, so that a service that waits for its agents is judged, too.
 * @param only the agent whose view is asked for; null = that of every agent with a record, and of one without
 */
export function lint(
  records: ReadonlyMap<string, RawRecord>,
  checks: CheckCatalog,
  only: string | null = null,
): LintOutcome {
  const decoded = new RecordDecoder(checks).decode(records, new Map());
  const { agents } = decoded.records;
  const own = [...agents.keys()].filter((name) => name !== DEFAULT_AGENT);
  const findings = new Findings();
  for (const problem of decoded.problems) findings.add(problem, null);
  for (const [viewpoint, names] of only === null ? allLooks(decoded) : [oneLook(only)]) {
    for (const problem of problemsSeenFrom(decoded, viewpoint)) findings.add(problem, names);
  }
  const judged = only === null ? agents.keys() : [DEFAULT_AGENT, only];
  for (const name of judged) {
    for (const problem of settingsProblems(agents, name)) findings.add(problem, name === DEFAULT_AGENT ? null : [name]);
  }
  const asked = only === null ? own : [only];
  return { findings: findings.sorted(asked), agents: asked, revision: decoded.revision };
}

function oneLook(agent: string): Look {
  return [{ agent, labels: null }, [agent]];
}

function allLooks({ records }: DecodeOutcome): readonly Look[] {
  const { agents, services } = records;
  const selecting = [...services.values()].flatMap(({ name, value }): Look[] => {
    return value.agents === undefined ? [] : [[supposedFor(name, value.agents), null]];
  });
  const kinds = agentKinds(agents).map(({ first, names }): Look => [{ agent: first, labels: null }, names]);
  // First the agents that there are, so that a problem that some of them have is not laid at nobody's door.
  return [...kinds, [supposedFor('any', {}), null], ...selecting];
}

/** One finding for each problem, whoever meets it. */
class Findings {
  readonly #found = new Map<string, { readonly problem: Problem; readonly agents: Set<string> | null }>();

  add(problem: Problem, agents: readonly string[] | null): void {
    const identity = identityOf(problem);
    const known = this.#found.get(identity);
    if (known === undefined) {
      this.#found.set(identity, { problem, agents: agents === null ? null : new Set(agents) });
      return;
    }
    for (const agent of agents ?? []) known.agents?.add(agent);
  }

  /** @param all what every one of these meets has nothing to do with any of them */
  sorted(all: readonly string[]): readonly Finding[] {
    return [...this.#found.values()]
      .map(({ problem, agents }): Finding => {
        const severity = problem.effect === 'in force' ? 'advice' : 'error';
        const some = agents !== null && agents.size < all.length;
        return { ...problem, severity, agents: some ? [...agents].sort() : null };
      })
      .sort((a, b) => compare(a.path, b.path) || compare(a.field, b.field));
  }
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
