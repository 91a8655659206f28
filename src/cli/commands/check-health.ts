import { Alive } from '../../api/schemas.ts';
import { agentEndpoint, askAgent } from '../agent-api.ts';
import type { ApiOptions } from '../agent-endpoint.ts';
import type { CliContext } from '../io.ts';

export interface HealthOptions extends ApiOptions {
  readonly bootstrap: string;
}

/** `vipkeeper health`: whether the agent answers at all, for a supervisor that cannot ask by itself. */
export async function checkHealth(context: CliContext, options: HealthOptions): Promise<void> {
  await askAgent(agentEndpoint(context, options), '/healthz', Alive);
  context.io.out('alive\n');
}
