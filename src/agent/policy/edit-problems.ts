import type { CheckCatalog } from '../../model/check-definition.ts';
import { RecordDecoder } from '../../model/decode.ts';
import { parsePath } from '../../model/paths.ts';
import type { Problem } from '../../model/problem.ts';
import type { DecodeOutcome, RawRecord, RecordSet } from '../../model/record-set.ts';
import type { Viewpoint } from './viewpoints.ts';
import { agentKinds, identityOf, problemsSeenFrom, settingsProblems, supposedFor } from './viewpoints.ts';

type Records = ReadonlyMap<string, RawRecord>;

/** Each costs a pass over all records; agents with the same labels and overrides count once. */
const MAX_VIEWPOINTS = 32;

/**
 * What an edit would make wrong, judged as the agents judge it: every problem with the edited records themselves, and
 * every problem elsewhere that was not there before.
 * @param agent whose bootstrap file is at hand
 */
export function editProblems(before: Records, after: Records, checks: CheckCatalog, agent: string): readonly Problem[] {
  const decoder = new RecordDecoder(checks);
  const old = decoder.decode(before, new Map());
  const edited = decoder.decode(after, old.good);
  const isEdited = (path: string): boolean => before.get(path) !== after.get(path);
  const viewpoints = viewpointsOf(edited.records, isEdited, agent);
  const known = new Set([...old.problems, ...recordProblems(old, viewpoints)].map(identityOf));
  const problems = new Map<string, Problem>();
  for (const { path, bytes } of after.values()) {
    if (!isEdited(path) || bytes.length === 0 || parsePath(path).kind !== 'folder') continue;
    const misplaced: Problem = { path, field: '', found: 'a record', allowed: 'a folder', effect: 'ignored' };
    problems.set(identityOf(misplaced), misplaced);
  }
  for (const problem of [...edited.problems, ...recordProblems(edited, viewpoints)]) {
    const identity = identityOf(problem);
    if (isEdited(problem.path) || !known.has(identity)) problems.set(identity, problem);
  }
  return [...problems.values()];
}

function viewpointsOf({ agents, services }: RecordSet, isEdited: (path: string) => boolean, own: string): Viewpoint[] {
  const viewpoints: Viewpoint[] = [{ agent: own, labels: null }];
  for (const { name, path, value } of services.values()) {
    if (value.agents === undefined) continue;
    const touched = isEdited(path) || isEdited(`config/vips/${value.vip}`);
    if (touched) viewpoints.push(supposedFor(name, value.agents));
  }
  viewpoints.push(...agentKinds(agents).map(({ first }) => ({ agent: first, labels: null })));
  return viewpoints.slice(0, MAX_VIEWPOINTS);
}

function recordProblems(outcome: DecodeOutcome, viewpoints: readonly Viewpoint[]): readonly Problem[] {
  const { agents } = outcome.records;
  return [
    ...viewpoints.flatMap((viewpoint) => problemsSeenFrom(outcome, viewpoint)),
    ...[...agents.keys()].flatMap((name) => settingsProblems(agents, name)),
  ];
}
