import { agentEndpoint } from '../agent-api.ts';
import type { ApiOptions } from '../agent-endpoint.ts';
import { fetchStatus } from '../agent-status.ts';
import type { CliContext } from '../io.ts';
import { statusPage } from '../status-page.ts';

export interface StatusOptions extends ApiOptions {
  readonly bootstrap: string;
  readonly json?: boolean;
}

/** `vipkeeper status`: asks the running agent, over its API. */
export async function showStatus(context: CliContext, options: StatusOptions): Promise<void> {
  const status = await fetchStatus(agentEndpoint(context, options));
  context.io.out(options.json === true ? `${JSON.stringify(status, null, 2)}\n` : statusPage(status));
}
