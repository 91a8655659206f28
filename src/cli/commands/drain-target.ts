import { deleteOp, putOp } from '../../agent/record-writing.ts';
import { editProblems } from '../../agent/policy/edit-problems.ts';
import { durationMs } from '../../model/duration.ts';
import { DRAINS, drainName, drainTargets, drainValue } from '../../model/drain-request.ts';
import { withEdits } from '../../model/record-change.ts';
import { withStore } from '../bootstrap-access.ts';
import { problemLine, readConfig } from '../config-edit.ts';
import type { CliContext } from '../io.ts';
import { CliFailure, orFail } from '../io.ts';
import { operatorName } from '../operator-name.ts';

export interface DrainOptions {
  readonly bootstrap: string;
  readonly why: string;
  readonly by?: string;
  readonly until?: string;
  /** A duration. */
  readonly for?: string;
  readonly keep?: boolean;
}

/** `vipkeeper drain TARGET`: takes a real, a service, a VIP or an agent out of service gently. */
export async function drainTarget(context: CliContext, target: string, options: DrainOptions): Promise<void> {
  const { io, deps } = context;
  const until = endOf(options, deps.clock.now());
  const value = drainValue({
    target,
    by: operatorName(io, options.by),
    why: options.why,
    until,
    keep: options.keep === true,
  });
  await withStore(context, options.bootstrap, async (store, { agent }) => {
    const before = await readConfig(store);
    const targets = drainTargets(before);
    const known = [...targets].find(([, other]) => other === target);
    if (known !== undefined) throw new CliFailure('failure', `${target} is drained already: see ${DRAINS}${known[0]}`);
    const path = `${DRAINS}${drainName(target, targets)}`;
    const bytes = Buffer.from(JSON.stringify(value));
    const problems = editProblems(before, withEdits(before, new Map([[path, bytes]])), deps.checks, agent);
    // Advice, too: whoever drains what is not there is about to switch off what is.
    const own = problems.filter((problem) => problem.path === path);
    if (own.length > 0) throw new CliFailure('invalid', `nothing was drained: ${own.map(problemLine).join('; ')}`);
    orFail(await store.write([putOp(path, bytes, before.get(path))]));
    io.out(`${path}: ${target} is to be drained${until === null ? '' : ` until ${until}`}\n`);
  });
}

/** `vipkeeper undrain TARGET`: ends the drains of a target, or one by its name. */
export async function undrainTarget(
  context: CliContext,
  text: string,
  options: { readonly bootstrap: string },
): Promise<void> {
  await withStore(context, options.bootstrap, async (store) => {
    const before = await readConfig(store);
    const targets = drainTargets(before);
    const byTarget = [...targets].filter(([, target]) => target === text).map(([name]) => name);
    const names = byTarget.length > 0 ? byTarget : [text.replace(DRAINS, '')];
    const records = names.flatMap((name) => before.get(`${DRAINS}${name}`) ?? []);
    if (records.length === 0) {
      const others = targets.size === 0 ? 'there is no drain' : `drained: ${[...targets.values()].join(', ')}`;
      throw new CliFailure('failure', `no drain has the target or the name ${text}; ${others}`);
    }
    orFail(await store.write(records.map(deleteOp)));
    context.io.out(records.map(({ path }) => `${path}: deleted\n`).join(''));
  });
}

/** The end as the record has it; null = none. */
function endOf({ until, for: length }: DrainOptions, now: number): string | null {
  if (until !== undefined && length !== undefined) throw new CliFailure('usage', 'either --until or --for, not both');
  if (length !== undefined) return new Date(now + durationMs(length)).toISOString();
  if (until === undefined) return null;
  if (Date.parse(until) <= now) throw new CliFailure('usage', `--until ${until} is past`);
  return until;
}
