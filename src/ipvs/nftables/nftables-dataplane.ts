import { CodedError, describeError } from '../../core/errors.ts';
import type { Log } from '../../core/ports.ts';
import { ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import type { Family } from '../../model/address.ts';
import type { Conntrack, FlowCount } from '../conntrack/flows.ts';
import { matchOf, serviceKeyOf, servicesIn } from '../dataplane.ts';
import type {
  ApplyReport,
  Dataplane,
  DataplaneInfo,
  DataplaneOp,
  DataplaneState,
  KernelService,
  ServiceKey,
  ServiceMatch,
} from '../dataplane.ts';
import { KernelTable } from '../kernel-table.ts';
import type { TableErrno } from '../kernel-table.ts';
import type { RunProgram } from '../program.ts';
import { ReportBuilder } from '../report.ts';
import { unsupported } from './abilities.ts';
import { withActivity } from './activity.ts';
import { decodeListing } from './decode.ts';
import type { ListedService } from './decode.ts';
import { forwardingHindrances } from './forwarding.ts';
import type { ReadSetting } from './forwarding.ts';
import { layoutOf } from './layout.ts';
import type { Listing } from './listing.ts';
import { TABLE_NAME } from './names.ts';
import { complaintsIn, errnoIn, listTable } from './nft-command.ts';
import { transaction } from './transaction.ts';
import type { Line } from './transaction.ts';

const NOTHING: ReadonlyMap<ServiceKey, ListedService> = new Map();

interface NftablesDeps {
  readonly run: RunProgram;
  /** Closed by whoever made it. */
  readonly conntrack: Pick<Conntrack, 'count'>;
  readonly readSetting: ReadSetting;
  readonly log: Log;
}

/** Runs of one plan: each after the second leaves out at least one service that the kernel refused. */
const ATTEMPTS = 100;

/**
 * Load balancing by rules of nf_tables, for hosts without IPVS: one transaction of `nft -f -` for a whole plan, in a
 * table of our own. It keeps no picture: each plan begins with a listing, and becomes the difference between that and
 * the rules that would do what is wanted.
 */
export class NftablesDataplane implements Dataplane {
  readonly name = 'nftables';
  readonly #run: RunProgram;
  readonly #conntrack: Pick<Conntrack, 'count'>;
  readonly #log: Log;
  readonly #readSetting: ReadSetting;
  #countable = true;
  /** Of the services that were last read. */
  #families: ReadonlySet<Family> = new Set();

  constructor(deps: NftablesDeps) {
    this.#run = deps.run;
    this.#conntrack = deps.conntrack;
    this.#readSetting = deps.readSetting;
    this.#log = deps.log;
  }

  async read(): Promise<Result<DataplaneState, CodedError>> {
    const listing = await listTable(this.#run, TABLE_NAME);
    if (!listing.ok) return listing;
    const services = listing.value === null ? NOTHING : decodeListing(listing.value);
    this.#families = familiesOf(services.values());
    if (services.size === 0) return ok(new Map());
    return ok(withActivity(services, await this.#countFlows()));
  }

  async readServices(matches: readonly ServiceMatch[]): Promise<Result<DataplaneState, CodedError>> {
    const state = await this.read();
    return state.ok ? ok(servicesIn(state.value, matches)) : state;
  }

  info(): Promise<Result<DataplaneInfo, CodedError>> {
    return Promise.resolve(ok({ version: null, connectionTableSize: null }));
  }

  hindrances(): Promise<readonly string[]> {
    return forwardingHindrances(this.#families, this.#readSetting);
  }

  async apply(ops: readonly DataplaneOp[]): Promise<ApplyReport<DataplaneOp>> {
    const report = new ReportBuilder();
    let pending = report.screened(ops).filter((op) => {
      const reason = unsupported(op);
      if (reason !== null) report.refusedBecause(op, 'EOPNOTSUPP', reason, 'NFT_FAILED');
      return reason === null;
    });
    for (let attempt = 1; pending.length > 0; attempt++) {
      const step = await this.#attempt(pending, report);
      if (!step.ok) return report.finish(step.error);
      if (step.value === null) break;
      // The table may have changed under the plan: only what is refused a second time is refused.
      if (attempt === 1) continue;
      if (attempt === ATTEMPTS) {
        const text = `the kernel refused the plan ${ATTEMPTS} times; the last time: ${step.value.text}`;
        return report.finish(new CodedError('NFT_FAILED', text));
      }
      pending = withoutRefused(pending, step.value, report);
    }
    return report.finish();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  async #countFlows(): Promise<readonly FlowCount[] | null> {
    const counts = await this.#conntrack.count();
    const flows = counts.ok ? counts.value : null;
    if (flows === null && this.#countable) {
      const why = counts.ok ? 'the kernel has no ctnetlink (nf_conntrack_netlink)' : describeError(counts.error);
      this.#log.warn({ why }, 'connections cannot be counted: what leaves stays until its deadline');
    }
    this.#countable = flows !== null;
    return flows;
  }

  /** @returns null when all was done, or what the kernel said to the transaction, of which then nothing was done */
  async #attempt(ops: readonly DataplaneOp[], report: ReportBuilder): Promise<Result<Refusal | null, CodedError>> {
    const listing = await listTable(this.#run, TABLE_NAME);
    if (!listing.ok) return listing;
    const { table, outcomes } = carryOut(listing.value, ops);
    const lines = transaction(listing.value, layoutOf(table.entries));
    if (lines.length > 0) {
      const end = await this.#run(['--file', '-'], lines.map(({ text }) => `${text}\n`).join(''));
      if (!end.ok) return end;
      if (end.value.status !== 0) return ok(refusalIn(end.value.stderr, lines));
    }
    this.#families = familiesOf(table.entries.values());
    for (const { op, errno } of outcomes) {
      if (errno === null) report.applied(op);
      else report.refused(op, errno, null, 'NFT_FAILED');
    }
    return ok(null);
  }
}

function familiesOf(entries: Iterable<{ readonly service: KernelService }>): Set<Family> {
  return new Set(Array.from(entries, ({ service }) => service.match.family));
}

interface Outcome {
  readonly op: DataplaneOp;
  readonly errno: TableErrno | null;
}

/** What the table should hold after the operations, and which of them do not fit what it holds. */
function carryOut(
  listing: Listing | null,
  ops: readonly DataplaneOp[],
): { readonly table: KernelTable; readonly outcomes: readonly Outcome[] } {
  const table = KernelTable.from(listing === null ? new Map() : decodeListing(listing));
  return { table, outcomes: ops.map((op) => ({ op, errno: table.carryOut(op) })) };
}

interface Refusal {
  readonly text: string;
  /** Services whose rules were refused, each with nft's words; empty = it is about the whole. */
  readonly guilty: ReadonlyMap<ServiceKey, string>;
}

function refusalIn(stderr: string, lines: readonly Line[]): Refusal {
  const guilty = new Map<ServiceKey, string>();
  const complaints = complaintsIn(stderr);
  for (const { line, text } of complaints) {
    const owner = lines[line]?.owner ?? null;
    if (owner !== null && !guilty.has(owner)) guilty.set(owner, text);
  }
  return { text: complaints[0]?.text ?? stderr, guilty };
}

/** Refuses the operations of the services that are at fault, or all if that is not known. */
function withoutRefused(ops: readonly DataplaneOp[], refusal: Refusal, report: ReportBuilder): DataplaneOp[] {
  const textOf = (op: DataplaneOp): string | undefined => refusal.guilty.get(serviceKeyOf(matchOf(op)));
  const someAreGuilty = ops.some((op) => textOf(op) !== undefined) && errnoIn(refusal.text) !== 'EPERM';
  return ops.filter((op) => {
    const text = someAreGuilty ? textOf(op) : refusal.text;
    if (text === undefined) return true;
    const errno = errnoIn(text);
    const advice = errno === 'EPERM' ? ': the agent needs CAP_NET_ADMIN in this network namespace' : '';
    report.refusedBecause(op, errno, `nft says "${text}"${advice}`, 'NFT_FAILED');
    return false;
  });
}
