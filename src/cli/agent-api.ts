import type { Static, TSchema } from 'typebox';
import { validatorOf } from '../model/validate.ts';
import type { AgentRequest } from './agent-connection.ts';
import { exchange } from './agent-connection.ts';
import type { AgentEndpoint, ApiOptions } from './agent-endpoint.ts';
import { namedEndpoint, ownEndpoint } from './agent-endpoint.ts';
import { bootstrapOf } from './bootstrap-access.ts';
import type { CliContext } from './io.ts';
import { CliFailure } from './io.ts';

const READ: AgentRequest = { method: 'GET', timeoutMs: 5_000 };

/** The agent that is to be asked: the one that was named, or that of the bootstrap file. @throws CliFailure */
export function agentEndpoint(
  context: CliContext,
  options: ApiOptions & { readonly bootstrap: string },
): AgentEndpoint {
  const endpoint = namedEndpoint(options) ?? ownEndpoint(bootstrapOf(context, options.bootstrap).api);
  if (endpoint !== null) return endpoint;
  throw new CliFailure('failure', `the API is off: "api.listen" is null in ${options.bootstrap}`);
}

/** Asks a running agent. @throws CliFailure when there is no answer, or none of this schema */
export async function askAgent<S extends TSchema>(
  endpoint: AgentEndpoint,
  path: string,
  schema: S,
  request: AgentRequest = READ,
): Promise<Static<S>> {
  const url = new URL(path, endpoint.url);
  const { status, text } = await exchange(endpoint, path, request);
  if (status < 200 || status > 299) throw new CliFailure('failure', `${url.href} answers ${status}: ${text}`);
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
