import { parseListen, urlOf } from '../../api/listen.ts';
import { fetchStatus } from '../agent-status.ts';
import { bootstrapOf } from '../bootstrap-access.ts';
import type { CliContext } from '../io.ts';
import { CliFailure } from '../io.ts';
import { statusPage } from '../status-page.ts';

export interface StatusOptions {
  readonly bootstrap: string;
  readonly api?: URL;
  readonly json?: boolean;
}

/** `vipkeeper status`: asks the running agent, over its API. */
export async function showStatus(context: CliContext, options: StatusOptions): Promise<void> {
  const status = await fetchStatus(options.api ?? configuredUrl(context, options.bootstrap));
  context.io.out(options.json === true ? `${JSON.stringify(status, null, 2)}\n` : statusPage(status));
}

function configuredUrl(context: CliContext, path: string): string {
  const { listen } = bootstrapOf(context, path).api;
  if (listen !== null) return urlOf(parseListen(listen));
  throw new CliFailure('failure', `the API is off: "api.listen" is null in ${path}`);
}
