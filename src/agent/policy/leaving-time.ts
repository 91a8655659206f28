/**
 * How long what leaves may keep its connections, in milliseconds.
 * @param agentMs what the agent says; 0 = no time at all, whatever else is said
 * @param ownMs what the record of the service says; null = nothing
 */
export function leavingTimeMs(agentMs: number, ownMs: number | null): number {
  return agentMs === 0 ? 0 : (ownMs ?? agentMs);
}
