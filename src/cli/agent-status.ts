import { StatusView } from '../model/status.ts';
import { askAgent } from './agent-api.ts';

/** Asks a running agent for its read model. @throws CliFailure */
export function fetchStatus(api: URL | string): Promise<StatusView> {
  return askAgent(api, '/v1/status', StatusView);
}
