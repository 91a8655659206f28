import { describeError } from '../core/errors.ts';
import { StatusView } from '../model/status.ts';
import { validatorOf } from '../model/validate.ts';
import { CliFailure } from './io.ts';

const ANSWER_TIMEOUT_MS = 5_000;

/** Asks a running agent for its read model. @throws CliFailure */
export async function fetchStatus(api: URL | string): Promise<StatusView> {
  const url = new URL('/v1/status', api);
  return parseStatus(url, await fetchText(url));
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
