import { deleteOp, putOp } from '../../agent/record-writing.ts';
import { CodedError } from '../../core/errors.ts';
import { parseRecordJson } from '../../model/json.ts';
import { ApprovalRecord } from '../../model/records/drain.ts';
import { validatorOf } from '../../model/validate.ts';
import type { StoreClient, StoreRecord } from '../../sources/source.ts';
import { withStore } from '../bootstrap-access.ts';
import { shortList } from '../change-page.ts';
import { problemLine } from '../config-edit.ts';
import { durationText } from '../duration-text.ts';
import type { HeldChange } from '../held-changes.ts';
import { readHeldChanges } from '../held-changes.ts';
import type { CliContext } from '../io.ts';
import { CliFailure, orFail } from '../io.ts';
import { operatorName } from '../operator-name.ts';
import { printable } from '../table.ts';

export interface ApproveOptions {
  readonly bootstrap: string;
  readonly by?: string;
  readonly why?: string;
  readonly force?: boolean;
  readonly json?: boolean;
}

/** `vipkeeper approve [REVISION]`: lets a change pass that the guard holds; without a revision, says what is held. */
export async function approveChange(
  context: CliContext,
  text: string | undefined,
  options: ApproveOptions,
): Promise<void> {
  const { io } = context;
  await withStore(context, options.bootstrap, async (store) => {
    const held = await readHeldChanges(store);
    if (text === undefined) {
      io.out(options.json === true ? `${JSON.stringify(held, null, 2)}\n` : heldPage(context, held));
      return;
    }
    const revision = chosenRevision(text, held, options.force === true);
    const path = `config/approvals/${revision.replace('sha256:', '')}`;
    const current = orFail(await store.get(path));
    if (current !== null && options.force !== true)
      throw new CodedError('STORE_CONFLICT', alreadyText(revision, current));
    const by = operatorName(io, options.by);
    const approval = validatorOf(ApprovalRecord)({ by, why: options.why ?? '' });
    if (!approval.ok) {
      const faults = approval.error.map((fault) => problemLine({ path, effect: 'ignored', ...fault }));
      throw new CliFailure('invalid', `nothing was approved: ${faults.join('; ')}`);
    }
    await writeApproval(store, path, approval.value, current);
    const agents = held.find((one) => one.revision === revision)?.holders.map(({ agent }) => agent) ?? [];
    const whose = agents.length === 0 ? 'whichever agent holds it' : shortList(agents);
    io.out(
      printable(`approved ${revision} for ${whose}, by ${by}; the status of an agent shows when it is in force`) + '\n',
    );
  });
}

/** An approval works once for each record, so one that is to work again is a new record. */
async function writeApproval(
  store: StoreClient,
  path: string,
  value: ApprovalRecord,
  current: StoreRecord | null,
): Promise<void> {
  if (current !== null) orFail(await store.write([deleteOp(current)]));
  orFail(await store.write([putOp(path, Buffer.from(JSON.stringify(value)), undefined)]));
}

/** The revision that is meant; a beginning will do, if it is that of just one held change. */
function chosenRevision(text: string, held: readonly HeldChange[], force: boolean): string {
  const digits = text.toLowerCase().replace(/^sha256:/, '');
  if (!/^[0-9a-f]{8,64}$/.test(digits)) {
    throw new CliFailure(
      'usage',
      `${text} is no revision: "sha256:" and 64 hexadecimal digits, or the first 8 or more`,
    );
  }
  const meant = held.filter(({ revision }) => revision.startsWith(`sha256:${digits}`));
  const [one] = meant;
  if (one !== undefined && meant.length === 1) return one.revision;
  if (one !== undefined) throw new CliFailure('usage', `${text} begins more than one held revision`);
  if (force && digits.length === 64) return `sha256:${digits}`;
  const others = held.length === 0 ? 'nothing is held' : `held: ${held.map(({ revision }) => revision).join(', ')}`;
  throw new CliFailure(
    'failure',
    `no agent holds ${text}; ${others} (--force approves all 64 digits of a revision anyway)`,
  );
}

function alreadyText(revision: string, { bytes }: StoreRecord): string {
  const json = parseRecordJson(bytes);
  const by = json.ok ? String(json.value['by']) : 'somebody';
  return `${revision} was approved already, by ${by}; --force approves it once more`;
}

function heldPage({ deps }: CliContext, held: readonly HeldChange[]): string {
  if (held.length === 0) return 'nothing is held\n';
  return held.map((change) => pageOf(change, deps.clock.now())).join('\n');
}

function pageOf({ revision, holders, lost }: HeldChange, now: number): string {
  const lines = [
    `HELD ${revision}`,
    ...holders.map(({ agent, since, why }) => `  by ${agent} for ${durationText(now - Date.parse(since))}: ${why}`),
    `  would take away: ${shortList(lost)}`,
    `  to let it pass: vipkeeper approve ${revision} --why REASON`,
  ];
  return lines.map((line) => `${printable(line)}\n`).join('');
}
