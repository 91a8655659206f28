import { describeError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';

export interface StopStep {
  readonly name: string;
  readonly run: () => Promise<void>;
}

/**
 * Runs the steps one after the other. One that fails, or takes longer than the deadline, is reported and left behind:
 * the others still get their turn.
 */
export async function runSteps(
  steps: readonly StopStep[],
  deadlineMs: number,
  deps: { readonly clock: Clock; readonly log: Log },
): Promise<void> {
  for (const step of steps) {
    const late = await withDeadline(step, deadlineMs, deps);
    if (late) deps.log.error({ step: step.name, deadlineMs }, 'a step of the stop took too long; going on without it');
  }
}

async function withDeadline(
  step: StopStep,
  deadlineMs: number,
  { clock, log }: { readonly clock: Clock; readonly log: Log },
): Promise<boolean> {
  let cancel = (): void => undefined;
  const deadline = new Promise<boolean>((resolve) => {
    cancel = clock.after(deadlineMs, () => resolve(true));
  });
  const late = await Promise.race([runStep(step, log), deadline]);
  cancel();
  return late;
}

/** Catches what a step throws before it has a promise, too. */
async function runStep(step: StopStep, log: Log): Promise<false> {
  try {
    await step.run();
  } catch (error) {
    log.error({ step: step.name, error: describeError(error) }, 'a step of the stop failed');
  }
  return false;
}
