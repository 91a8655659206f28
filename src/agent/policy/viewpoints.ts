import { DEFAULT_AGENT, parsePath } from '../../model/paths.ts';
import type { Problem } from '../../model/problem.ts';
import type { DecodeOutcome, RecordSet } from '../../model/record-set.ts';
import { desiredAgent } from './desired-agent.ts';
import { desiredState } from './desired.ts';

type Agents = RecordSet['agents'];

/** An agent through whose eyes records are judged: services that no agent shares cannot be in each other's way. */
export interface Viewpoint {
  readonly agent: string;
  /** Labels of an agent that need not exist; null = those of its record. */
  readonly labels: Readonly<Record<string, string>> | null;
}

/** Agents that see the same: equal labels, equal overrides. */
export interface AgentKind {
  readonly first: string;
  readonly names: readonly string[];
}

/** No record can have this name. */
const SUPPOSED_AGENT = '_supposed';

/** An agent that a service selects by its labels, whether or not there is one. */
export function supposedFor(service: string, labels: Readonly<Record<string, string>>): Viewpoint {
  return { agent: `${SUPPOSED_AGENT}-${service}`, labels };
}

/** The agents that have a record of their own, those that see the same together. */
export function agentKinds(agents: Agents): readonly AgentKind[] {
  const kinds = new Map<string, string[]>();
  for (const name of agents.keys()) {
    if (name === DEFAULT_AGENT) continue;
    const { labels, overrides } = desiredAgent(name, agents, null).agent;
    const kind = JSON.stringify([labels, overrides]);
    const names = kinds.get(kind);
    if (names === undefined) kinds.set(kind, [name]);
    else names.push(name);
  }
  return [...kinds.values()].map((names) => ({ first: names[0] ?? '', names }));
}

/** What one agent finds wrong when it puts good records together; its own settings are judged by `settingsProblems`. */
export function problemsSeenFrom({ records, revision }: DecodeOutcome, viewpoint: Viewpoint): readonly Problem[] {
  const { agent, labels } = viewpoint;
  const agents = labels === null ? records.agents : withSupposed(records.agents, agent, labels);
  const { problems } = desiredState({ ...records, agents }, agent, null, revision);
  return problems.filter(({ path, effect }) => effect === 'in force' || parsePath(path).kind !== 'agent');
}

function withSupposed(agents: Agents, name: string, labels: Readonly<Record<string, string>>): Agents {
  const path = `config/agents/${name}`;
  return new Map(agents).set(name, { name, path, value: { labels }, created: 0n, modified: 0n });
}

/** Agent records are patches, so they are judged as what they come to when merged over the defaults. */
export function settingsProblems(agents: Agents, name: string): readonly Problem[] {
  const { problems } = desiredAgent(name, agents, null);
  // What the defaults leave out, each agent may add.
  return name === DEFAULT_AGENT ? problems.filter(({ found }) => found !== 'nothing') : problems;
}

/** The effect is what one agent does, the same problem may have another on the next. */
export function identityOf({ path, field, found, allowed }: Problem): string {
  return JSON.stringify([path, field, found, allowed]);
}
