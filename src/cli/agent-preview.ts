import type { LoadedBootstrap } from '../agent/bootstrap-file.ts';
import { peekLastKnownGood } from '../agent/last-known-good.ts';
import type { Baseline } from '../agent/policy/preview.ts';
import { baselineOf, noBaseline, preview } from '../agent/policy/preview.ts';
import { describeError } from '../core/errors.ts';
import { RecordDecoder } from '../model/decode.ts';
import type { StatusView } from '../model/status.ts';
import type { AgentEndpoint, ApiOptions } from './agent-endpoint.ts';
import { namedEndpoint, ownEndpoint } from './agent-endpoint.ts';
import { fetchStatus } from './agent-status.ts';
import type { ConfigurationEdit } from './configuration-edit.ts';
import { affectedReals } from './connections.ts';
import type { CliContext } from './io.ts';
import type { AgentPreview } from './preview-page.ts';

export interface PreviewTarget {
  readonly agent: string;
  /** null = it is not asked. */
  readonly endpoint: AgentEndpoint | null;
}

/** The agent that a command is about: the one that is named, or that of this machine. */
export function previewTarget(
  bootstrap: LoadedBootstrap,
  options: ApiOptions & { readonly agent?: string },
): PreviewTarget {
  const agent = options.agent ?? bootstrap.agent;
  const own = agent === bootstrap.agent ? ownEndpoint(bootstrap.api) : null;
  return { agent, endpoint: namedEndpoint(options) ?? own };
}

/** What an edit would do to an agent, as far as that can be told from here. */
export async function previewFor(
  { deps }: CliContext,
  bootstrap: LoadedBootstrap,
  target: PreviewTarget,
  edit: ConfigurationEdit,
): Promise<AgentPreview> {
  const decoder = new RecordDecoder(deps.checks);
  const now = deps.clock.now();
  const { agent } = target;
  const { baseline, comparedWith } = baselineFor(bootstrap, agent, edit, decoder, now);
  const found = preview({ agent, baseline, records: edit.after, decoder, now });
  const whole = found.ifApproved ?? found.effect;
  const nobody = affectedReals(whole, null).length === 0;
  const asked = nobody ? 'nothing is affected' : await askAgent(target);
  const status = typeof asked === 'string' ? null : asked;
  return {
    ...found,
    agent,
    comparedWith,
    affected: affectedReals(whole, status),
    connectionsUnknown: typeof asked === 'string' && !nobody ? asked : null,
  };
}

/** The agent's own memory, if it is at hand; else what it would make of the records that are in the store. */
function baselineFor(
  bootstrap: LoadedBootstrap,
  agent: string,
  { before }: ConfigurationEdit,
  decoder: RecordDecoder,
  now: number,
): { readonly baseline: Baseline; readonly comparedWith: string } {
  const fromStore = (why: string) => {
    return { baseline: baselineOf(before, agent, decoder, now), comparedWith: `what the store holds (${why})` };
  };
  if (agent !== bootstrap.agent) return fromStore('its own memory is on another machine');
  const saved = peekLastKnownGood(bootstrap.stateDir);
  if (!saved.ok) return fromStore(describeError(saved.error));
  if (saved.value === null) return fromStore(`it has accepted nothing yet in ${bootstrap.stateDir}`);
  if (saved.value.desired.agent.name !== agent) return fromStore('its memory is that of another agent');
  const { desired, good, window, hold } = saved.value;
  return {
    baseline: { ...noBaseline, accepted: desired, good, window, hold },
    comparedWith: `what it has accepted (${desired.revision})`,
  };
}

/** The status, or why there is none. */
async function askAgent({ agent, endpoint }: PreviewTarget): Promise<StatusView | string> {
  if (endpoint === null) return `it was not asked; --api names its address`;
  try {
    const status = await fetchStatus(endpoint);
    return status.agent === agent ? status : `at ${endpoint.url.href} is agent ${status.agent}`;
  } catch (error) {
    return describeError(error);
  }
}
