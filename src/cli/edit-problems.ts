import { desiredAgent } from '../agent/policy/desired-agent.ts';
import { desiredState } from '../agent/policy/desired.ts';
import type { CheckCatalog } from '../model/check-definition.ts';
import { RecordDecoder } from '../model/decode.ts';
import { DEFAULT_AGENT, parsePath } from '../model/paths.ts';
import type { Problem } from '../model/problem.ts';
import type { DecodeOutcome, RawRecord, RecordSet } from '../model/record-set.ts';

type Records = ReadonlyMap<string, RawRecord>;
type Agents = RecordSet['agents'];

/** An agent through whose eyes an edit is judged: services that no agent shares cannot be in each other's way. */
interface Viewpoint {
  readonly agent: string;
  /** Labels of an agent that need not exist; null = those of its record. */
  readonly labels: Readonly<Record<string, string>> | null;
}

/** Each costs a pass over all records; agents with the same labels and overrides count once. */
const MAX_VIEWPOINTS = 32;

/** No record can have this name. */
const SUPPOSED_AGENT = '_supposed';

/**
 * What an edit would make wrong, judged as the agents judge it: every problem with the edited records themselves, and
 * every problem elsewhere that was not there before.
 * @param agent whose bootstrap file the command uses
 */
export function editProblems(before: Records, after: Records, checks: CheckCatalog, agent: string): readonly Problem[] {
  const decoder = new RecordDecoder(checks);
  const old = decoder.decode(before, new Map());
  const edited = decoder.decode(after, old.good);
  const isEdited = (path: string): boolean => before.get(path) !== after.get(path);
  const viewpoints = viewpointsOf(edited.records, isEdited, agent);
  const known = new Set([...old.problems, ...recordProblems(old, viewpoints)].map(identityOf));
  const problems = new Map<string, Problem>();
  for (const problem of [...edited.problems, ...recordProblems(edited, viewpoints)]) {
    const identity = identityOf(problem);
    if (isEdited(problem.path) || !known.has(identity)) problems.set(identity, problem);
  }
  return [...problems.values()];
}

/** The effect is what one agent does, the same problem may have another on the next. */
function identityOf({ path, field, found, allowed }: Problem): string {
  return JSON.stringify([path, field, found, allowed]);
}

function viewpointsOf({ agents, services }: RecordSet, isEdited: (path: string) => boolean, own: string): Viewpoint[] {
  const viewpoints: Viewpoint[] = [{ agent: own, labels: null }];
  for (const { name, path, value } of services.values()) {
    if (value.agents === undefined) continue;
    const touched = isEdited(path) || isEdited(`config/vips/${value.vip}`);
    if (touched) viewpoints.push({ agent: `${SUPPOSED_AGENT}-${name}`, labels: value.agents });
  }
  const seen = new Set<string>();
  for (const name of agents.keys()) {
    const { labels, overrides } = desiredAgent(name, agents, null).agent;
    const kind = JSON.stringify([labels, overrides]);
    if (name !== DEFAULT_AGENT && !seen.has(kind)) viewpoints.push({ agent: name, labels: null });
    seen.add(kind);
  }
  return viewpoints.slice(0, MAX_VIEWPOINTS);
}

function recordProblems({ records, revision }: DecodeOutcome, viewpoints: readonly Viewpoint[]): readonly Problem[] {
  const seen = viewpoints.flatMap(({ agent, labels }) => {
    const agents = labels === null ? records.agents : withSupposed(records.agents, agent, labels);
    return desiredState({ ...records, agents }, agent, null, revision).problems;
  });
  // The agents' own settings are judged below, for every agent.
  const shared = seen.filter(({ path, effect }) => effect === 'in force' || parsePath(path).kind !== 'agent');
  return [...shared, ...settingsProblems(records.agents)];
}

function withSupposed(agents: Agents, name: string, labels: Readonly<Record<string, string>>): Agents {
  const path = `config/agents/${name}`;
  return new Map(agents).set(name, { name, path, value: { labels }, created: 0n, modified: 0n });
}

/** Agent records are patches, so they are judged as what they come to when merged over the defaults. */
function settingsProblems(agents: Agents): readonly Problem[] {
  return [...agents.keys()].flatMap((name) => {
    const { problems } = desiredAgent(name, agents, null);
    // What the defaults leave out, each agent may add.
    return name === DEFAULT_AGENT ? problems.filter(({ found }) => found !== 'nothing') : problems;
  });
}
