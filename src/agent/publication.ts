import { STATE_VERSION } from '../model/records/state.ts';
import type { StatusView } from '../model/status.ts';
import { healthRecords } from './policy/health-records.ts';
import type { LeavingEntry } from './policy/journal.ts';
import type { AgentContent, Publication } from './publisher.ts';
import type { PassView } from './reconciler.ts';

/** A record of an agent stays small, however much is wrong. */
const MAX_LISTED = 100;

/** Pure: what the agent says in the store, from what it shows on its status page. */
export function publicationOf(
  status: StatusView,
  pass: PassView | null,
  leaving: readonly LeavingEntry[],
): Publication {
  const { agent } = status;
  const health =
    pass === null ? new Map() : healthRecords({ agent, effective: pass.effective, vips: pass.vips, leaving });
  return { agent: agentContent(status), health };
}

function agentContent(status: StatusView): AgentContent {
  const { configuration, problems, holds, peers } = status;
  return {
    v: STATE_VERSION,
    agent: status.agent,
    version: status.version,
    startedAt: status.startedAt,
    seenRevision: configuration.seenRevision ?? '',
    acceptedRevision: configuration.acceptedRevision ?? '',
    position: configuration.position ?? '',
    ready: status.ready,
    notReady: status.notReady,
    problems: problems.slice(0, MAX_LISTED),
    problemCount: problems.length,
    holds: holds.map((hold) => ({ ...hold, lost: hold.lost.slice(0, MAX_LISTED) })),
    peers: Object.fromEntries(
      peers.map(({ name, address, state, since, announced }) => [
        name,
        { address, state, since: since ?? status.startedAt, announced },
      ]),
    ),
  };
}
