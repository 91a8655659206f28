import { parseListen, urlOf } from '../../api/listen.ts';
import { describeError } from '../../core/errors.ts';
import { StatusView } from '../../model/status.ts';
import { validatorOf } from '../../model/validate.ts';
import { bootstrapOf } from '../bootstrap-access.ts';
import type { CliContext } from '../io.ts';
import { CliFailure } from '../io.ts';
import { statusPage } from '../status-page.ts';

export interface StatusOptions {
  readonly bootstrap: string;
  readonly api?: URL;
  readonly json?: boolean;
}

const ANSWER_TIMEOUT_MS = 5_000;

/** `vipkeeper status`: asks the running agent, over its API. */
export async function showStatus(context: CliContext, options: StatusOptions): Promise<void> {
  const url = new URL('/v1/status', options.api ?? configuredUrl(context, options.bootstrap));
  const text = await fetchText(url);
  const status = parseStatus(url, text);
  context.io.out(options.json === true ? `${JSON.stringify(status, null, 2)}\n` : statusPage(status));
}

function configuredUrl(context: CliContext, path: string): string {
  const { listen } = bootstrapOf(context, path).api;
  if (listen !== null) return urlOf(parseListen(listen));
  throw new CliFailure('failure', `the API is off: "api.listen" is null in ${path}`);
}

async function fetchText(url: URL): Promise<string> {
  let answer: Response;
  try {
    answer = await fetch(url, { signal: AbortSignal.timeout(ANSWER_TIMEOUT_MS), redirect: 'error' });
  } catch (error) {
    throw new CliFailure('failure', `no agent answers at ${url.origin}: ${describeError(error)}`);
  }
  if (!answer.ok) throw new CliFailure('failure', `${url.href} answers ${answer.status}: ${await answer.text()}`);
  return answer.text();
}

function parseStatus(url: URL, text: string): StatusView {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CliFailure('failure', `${url.href} does not answer with JSON: is that an agent?`);
  }
  const checked = validatorOf(StatusView)(value);
  if (checked.ok) return checked.value;
  const [problem] = checked.error;
  const where = problem === undefined ? '' : `: ${problem.field} is ${problem.found}`;
  throw new CliFailure('failure', `${url.href} does not answer with a status that this version understands${where}`);
}
