import { VerificationView } from '../../model/verification.ts';
import { agentEndpoint, askAgent } from '../agent-api.ts';
import type { ApiOptions } from '../agent-endpoint.ts';
import type { CliContext } from '../io.ts';
import { CliFailure } from '../io.ts';
import { printable } from '../table.ts';

export interface VerifyOptions extends ApiOptions {
  readonly bootstrap: string;
  readonly json?: boolean;
}

/** A pass over a large kernel takes a while. */
const ANSWER_TIMEOUT_MS = 30_000;

/** `vipkeeper verify`: has the running agent compare the kernel at once, and prints what it found and mended. */
export async function verifyKernel(context: CliContext, options: VerifyOptions): Promise<void> {
  const request = { method: 'POST', timeoutMs: ANSWER_TIMEOUT_MS } as const;
  const found = await askAgent(agentEndpoint(context, options), '/v1/verify', VerificationView, request);
  context.io.out(options.json === true ? `${JSON.stringify(found, null, 2)}\n` : verificationPage(found));
  if (found.failures.length > 0) throw new CliFailure('failure', 'not everything is as it should be');
}

function verificationPage(view: VerificationView): string {
  const { compared, differences, differenceCount, operations, failures, foreignServices } = view;
  const lines = differences.map(({ found }) => `  ${found}`);
  const more = differenceCount - differences.length;
  if (more > 0) lines.push(`  and ${more} more`);
  const heading = !compared
    ? 'nothing was known to compare with: what is there was read afresh'
    : differenceCount === 0
      ? 'nobody has changed anything of ours'
      : `changed by somebody else (${differenceCount}):`;
  const refused = failures.map((failure) => `FAILED: ${failure}`);
  const foreign = `services of others in the kernel, left alone: ${foreignServices}`;
  return [heading, ...lines, `operations carried out: ${operations}`, ...refused, foreign]
    .map((line) => `${printable(line)}\n`)
    .join('');
}
