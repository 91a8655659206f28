import { parseRecordJson } from '../model/json.ts';
import { AgentRecord } from '../model/records/state.ts';
import { validatorOf } from '../model/validate.ts';
import type { StoreClient } from '../sources/source.ts';
import { orFail } from './io.ts';

/** A change that one or more agents hold. */
export interface HeldChange {
  readonly revision: string;
  readonly holders: readonly { readonly agent: string; readonly since: string; readonly why: string }[];
  /** What it would take away, of all agents together. */
  readonly lost: readonly string[];
}

/** What the agents say in state/agents that they hold, the longest held first. */
export async function readHeldChanges(store: StoreClient): Promise<readonly HeldChange[]> {
  const listed = await store.list('state/agents');
  const records = !listed.ok && listed.error.code === 'STORE_NOT_FOUND' ? [] : orFail(listed);
  const validate = validatorOf(AgentRecord);
  const held = new Map<string, { readonly holders: HeldChange['holders'][number][]; readonly lost: Set<string> }>();
  for (const { bytes } of records) {
    // Another version's record, or none: what it says about holds cannot be told.
    const json = bytes.length === 0 ? null : parseRecordJson(bytes, bytes.length);
    const record = json?.ok === true ? validate(json.value) : null;
    if (record?.ok !== true) continue;
    const { agent, holds } = record.value;
    for (const { revision, why, since, lost } of holds) {
      const known = held.get(revision) ?? { holders: [], lost: new Set() };
      known.holders.push({ agent, since, why });
      for (const name of lost) known.lost.add(name);
      held.set(revision, known);
    }
  }
  return [...held]
    .map(([revision, { holders, lost }]) => ({ revision, holders, lost: [...lost] }))
    .sort((a, b) => (sinceOf(a) < sinceOf(b) ? -1 : 1));
}

function sinceOf({ holders }: HeldChange): string {
  return holders.map(({ since }) => since).sort()[0] ?? '';
}
