import { describeError } from '../core/errors.ts';
import { closeKernel } from './kernel-ports.ts';
import type { OpenKernel } from './kernel-ports.ts';
import { formerOps } from './policy/former-services.ts';
import type { FormerServices } from './policy/journal.ts';

/**
 * Clears the table of the dataplane before of what is ours. As long as it is there it may take packets away from the
 * new one: rules of nf_tables look at them before IPVS does.
 * @returns why that failed; null = it is clear
 */
export async function clearFormerTable(open: OpenKernel, former: FormerServices): Promise<string | null> {
  const why = await tryToClear(open, former).catch(describeError);
  return why === null ? null : `what the dataplane ${former.dataplane} holds of ours cannot be taken out: ${why}`;
}

async function tryToClear(open: OpenKernel, former: FormerServices): Promise<string | null> {
  const ports = await open(former.dataplane);
  const { dataplane } = ports;
  try {
    const read = await dataplane.read();
    if (!read.ok) return describeError(read.error);
    const { failed, lost } = await dataplane.apply(formerOps(former, read.value));
    return lost?.message ?? failed[0]?.error.message ?? null;
  } finally {
    await closeKernel(ports);
  }
}
