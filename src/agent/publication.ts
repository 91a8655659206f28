import { STATE_VERSION } from '../model/records/state.ts';
import type { KernelReport } from './kernel-report.ts';
import { healthRecords } from './policy/health-records.ts';
import type { AgentContent, Publication } from './publisher.ts';
import type { PassView } from './reconciler.ts';
import type { StatusOverview } from './status-view.ts';

/** A record of an agent stays small, however much is wrong. */
const MAX_LISTED = 100;

/** Pure: what the agent says in the store, from what it shows on its status page. */
export function publicationOf(
  status: StatusOverview,
  pass: PassView | null,
  { leaving, picture }: Pick<KernelReport, 'leaving' | 'picture'>,
): Publication {
  if (pass === null) return { agent: agentContent(status), health: new Map() };
  const { effective, vips } = pass;
  const actual = picture?.services ?? null;
  const health = healthRecords({ agent: status.agent, effective, vips, leaving, actual });
  return { agent: agentContent(status), health };
}

function agentContent(status: StatusOverview): AgentContent {
  const { configuration, problems, holds, drains, peers } = status;
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
    drains: Object.fromEntries(
      drains
        .flatMap(({ name, target, progress }) => (progress === null ? [] : [[name, { target, ...progress }] as const]))
        .slice(0, MAX_LISTED),
    ),
    peers: Object.fromEntries(
      peers.map(({ name, address, state, since, announced }) => [
        name,
        { address, state, since: since ?? status.startedAt, announced },
      ]),
    ),
  };
}
