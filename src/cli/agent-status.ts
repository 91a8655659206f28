import { StatusView } from '../model/status.ts';
import { askAgent } from './agent-api.ts';
import type { AgentEndpoint } from './agent-endpoint.ts';

/** Asks a running agent for its read model. @throws CliFailure */
export function fetchStatus(endpoint: AgentEndpoint): Promise<StatusView> {
  return askAgent(endpoint, '/v1/status', StatusView);
}
