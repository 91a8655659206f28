import { desiredAgent } from '../agent/desired-agent.ts';
import type { CheckCatalog } from '../model/check-definition.ts';
import { RecordDecoder } from '../model/decode.ts';
import { DEFAULT_AGENT } from '../model/paths.ts';
import type { Problem } from '../model/problem.ts';
import type { RawRecord, RecordSet } from '../model/record-set.ts';

type Records = ReadonlyMap<string, RawRecord>;

/**
 * What an edit would make wrong: every problem with the edited records themselves, and every problem elsewhere that
 * was not there before.
 */
export function editProblems(before: Records, after: Records, checks: CheckCatalog): readonly Problem[] {
  const decoder = new RecordDecoder(checks);
  const old = decoder.decode(before, new Map());
  const known = new Set([...old.problems, ...settingsProblems(old.records)].map(identityOf));
  const edited = decoder.decode(after, old.good);
  return [...edited.problems, ...settingsProblems(edited.records)].filter((problem) => {
    return before.get(problem.path) !== after.get(problem.path) || !known.has(identityOf(problem));
  });
}

function identityOf({ path, field, found }: Problem): string {
  return JSON.stringify([path, field, found]);
}

/** Agent records are patches, so they are judged as what they come to when merged over the defaults. */
function settingsProblems({ agents }: RecordSet): readonly Problem[] {
  return [...agents.keys()].flatMap((name) => {
    const { problems } = desiredAgent(name, agents, null);
    // What the defaults leave out, each agent may add.
    return name === DEFAULT_AGENT ? problems.filter(({ found }) => found !== 'nothing') : problems;
  });
}
