import type { Static, TSchema } from 'typebox';
import { parseListen, urlOf } from '../api/listen.ts';
import { describeError } from '../core/errors.ts';
import { validatorOf } from '../model/validate.ts';
import { bootstrapOf } from './bootstrap-access.ts';
import type { CliContext } from './io.ts';
import { CliFailure } from './io.ts';

interface AgentRequest {
  readonly method: 'GET' | 'POST';
  readonly timeoutMs: number;
}

const READ: AgentRequest = { method: 'GET', timeoutMs: 5_000 };

/** Where the agent answers: the address that was given, or that of the bootstrap file. @throws CliFailure */
export function agentUrl(
  context: CliContext,
  { api, bootstrap }: { readonly api?: URL; readonly bootstrap: string },
): URL | string {
  if (api !== undefined) return api;
  const { listen } = bootstrapOf(context, bootstrap).api;
  if (listen !== null) return urlOf(parseListen(listen));
  throw new CliFailure('failure', `the API is off: "api.listen" is null in ${bootstrap}`);
}

/** Asks a running agent. @throws CliFailure when there is no answer, or none of this schema */
export async function askAgent<S extends TSchema>(
  api: URL | string,
  path: string,
  schema: S,
  request: AgentRequest = READ,
): Promise<Static<S>> {
  const url = new URL(path, api);
  const text = await fetchText(url, request);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new CliFailure('failure', `${url.href} does not answer with JSON: is that an agent?`);
  }
  const checked = validatorOf(schema)(value);
  if (checked.ok) return checked.value;
  const [problem] = checked.error;
  const where = problem === undefined ? '' : `: ${problem.field} is ${problem.found}`;
  throw new CliFailure('failure', `${url.href} does not answer with what this version understands${where}`);
}

async function fetchText(url: URL, { method, timeoutMs }: AgentRequest): Promise<string> {
  let answer: Response;
  try {
    answer = await fetch(url, { method, signal: AbortSignal.timeout(timeoutMs), redirect: 'error' });
  } catch (error) {
    throw new CliFailure('failure', `no agent answers at ${url.origin}: ${describeError(error)}`);
  }
  if (!answer.ok) throw new CliFailure('failure', `${url.href} answers ${answer.status}: ${await answer.text()}`);
  return answer.text();
}
