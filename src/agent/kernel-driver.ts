import { asCodedError, CodedError, describeError } from '../core/errors.ts';
import type { Clock, Log } from '../core/ports.ts';
import { err, ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { Turns } from '../core/turns.ts';
import type { AddressOp, InterfaceAddresses } from '../ipvs/addresses.ts';
import type { ApplyReport, Dataplane, DataplaneOp, ServiceKey, ServiceMatch } from '../ipvs/dataplane.ts';
import { describeOp } from '../ipvs/describe.ts';
import { AnnouncementDriver } from './announcement-driver.ts';
import type { Counters } from './counters.ts';
import { DriftWatch } from './drift-watch.ts';
import type { Comparison } from './drift-watch.ts';
import type { DesiredAgent } from './policy/desired-state.ts';
import { earlier } from './policy/effective-service.ts';
import type { Effective } from './policy/effective-state.ts';
import { clearFormerTable } from './former-table.ts';
import { closeKernel } from './kernel-ports.ts';
import type { KernelPorts, OpenKernel } from './kernel-ports.ts';
import { MarkDriver } from './mark-driver.ts';
import type { JournalFile } from './journal-file.ts';
import { NOTHING_DONE } from './kernel-report.ts';
import type { KernelReport, Picture } from './kernel-report.ts';
import { emptyJournal } from './policy/journal.ts';
import type { Journal, LeavingAddress, LeavingEntry } from './policy/journal.ts';
import { applyAddressOps, applyToState, withActivity } from './policy/kernel-state.ts';
import { planAddresses } from './policy/plan-addresses.ts';
import type { SettledAddresses } from './policy/plan-addresses.ts';
import { plan } from './policy/plan.ts';
import type { Settled } from './policy/plan.ts';
import { watched } from './policy/watched.ts';
import type { Watched } from './policy/watched.ts';

interface KernelDriverDeps {
  readonly open: OpenKernel;
  readonly journalFile: JournalFile;
  readonly counters: Counters;
  readonly clock: Clock;
  readonly log: Log;
}

interface Steps {
  readonly journal: Journal;
  readonly services: readonly DataplaneOp[];
  readonly addresses: readonly AddressOp[];
  readonly foreign: readonly ServiceKey[];
  readonly leaving: readonly LeavingEntry[];
  readonly leavingAddresses: readonly LeavingAddress[];
}

/** How many operations a log line or a status answer spells out. */
const SPELLED_OUT = 20;

/**
 * Brings the kernel to what is effective, and knows what it holds. It plans against a cached picture, which is read
 * anew at the start, after any error or lost reply, and when the caller asks for a verification.
 */
export class KernelDriver {
  readonly #deps: KernelDriverDeps;
  #ports: KernelPorts | null = null;
  #kind: DesiredAgent['dataplane'] | null = null;
  #journal: Journal = emptyJournal;
  #picture: Picture | null = null;
  #readAtMonotonic = -Infinity;
  /** Wall-clock milliseconds at which the connections of what leaves were counted. */
  #activityAt: number | null = null;
  #watchedAtMonotonic = -Infinity;
  readonly #drift: DriftWatch;
  /** The adapter takes one call at a time, and readings of counters come between the passes. */
  readonly #turns = new Turns();
  readonly #markDriver: MarkDriver;
  readonly #announcements: AnnouncementDriver;
  #previous: Effective | null = null;
  #settled: Settled = new Map();
  #settledAddresses: SettledAddresses | null = null;
  #nextChangeMs: number | null = null;
  #report: KernelReport = NOTHING_DONE;

  constructor(deps: KernelDriverDeps) {
    this.#deps = deps;
    this.#drift = new DriftWatch(deps);
    this.#markDriver = new MarkDriver(deps);
    this.#announcements = new AnnouncementDriver(deps);
  }

  report(): KernelReport {
    const drifted = { repairs: this.#drift.recent(), repairCounts: this.#drift.counts() };
    const failures = [...this.#report.failures, ...this.#announcements.failures()];
    return { ...this.#report, ...drifted, failures, picture: this.#picture };
  }

  picture(): Picture | null {
    return this.#picture;
  }

  /** What the last reading of everything found. */
  comparison(): Comparison {
    return this.#drift.last();
  }

  /** Milliseconds after the last pass until the plan changes by itself, null = never. */
  nextChangeMs(): number | null {
    return this.#nextChangeMs;
  }

  /** Milliseconds until the last reading is older than `maxAgeMs`; the whole of it while the kernel cannot be read. */
  dueMs(maxAgeMs: number): number {
    if (this.#picture === null) return maxAgeMs;
    return Math.max(0, this.#readAtMonotonic + maxAgeMs - this.#deps.clock.monotonic());
  }

  /**
   * Opens the adapter that the settings name, closing another one. The kernel stays as it is. One that cannot be opened
   * is a kernel that cannot be read; the next call tries again.
   */
  async use(kind: DesiredAgent['dataplane']): Promise<void> {
    if (this.#kind === kind) return;
    await this.close();
    this.#picture = null;
    try {
      this.#ports = await this.#deps.open(kind);
    } catch (error) {
      this.#report = { ...this.#report, adapter: 'none', info: null };
      this.#unreadable(asCodedError(error));
      return;
    }
    this.#kind = kind;
    // What a dry run would have done is not ours in the kernel, where the same service may be somebody else's.
    this.#journal = isDryRun(kind) ? emptyJournal : this.#deps.journalFile.load(kind);
    this.#report = { ...this.#report, adapter: this.#ports.dataplane.name, info: null, hindrances: [] };
  }

  /**
   * Reads the kernel if it is not known, or if the last reading is older than `maxAgeMs`.
   * @returns false when it cannot be read; the report says why
   */
  async refresh(maxAgeMs: number): Promise<boolean> {
    const { clock, counters } = this.#deps;
    if (this.#ports === null) return false;
    if (this.#picture !== null && clock.monotonic() - this.#readAtMonotonic < maxAgeMs) return true;
    counters.kernelReads++;
    const { dataplane, addresses: interfaces, neighbors } = this.#ports;
    const services = await this.#turns.run(() => dataplane.read());
    if (!services.ok) return this.#unreadable(services.error);
    if (this.#report.info === null) {
      const info = await this.#turns.run(() => dataplane.info());
      if (info.ok) this.#report = { ...this.#report, info: info.value };
    }
    const addresses = await interfaces.read();
    if (!addresses.ok) return this.#unreadable(addresses.error);
    const picture: Picture = { services: services.value, addresses: addresses.value };
    this.#drift.compare(this.#picture, picture, this.#journal);
    this.#picture = picture;
    this.#readAtMonotonic = clock.monotonic();
    this.#watchedAtMonotonic = this.#readAtMonotonic;
    this.#activityAt = clock.now();
    this.#report = { ...this.#report, lastRead: this.#activityAt };
    await this.#noteHindrances(dataplane);
    await this.#announcements.review(neighbors, picture.addresses);
    return true;
  }

  /** Milliseconds until the connections of what leaves or is drained have to be counted again; null = nothing does. */
  watchDueMs(): number | null {
    const what = this.#watched();
    if (what === null) return null;
    return Math.max(0, this.#watchedAtMonotonic + what.everyMs - this.#deps.clock.monotonic());
  }

  /** Counts them if it is time, reading only their services. */
  async watch(): Promise<void> {
    const what = this.#watched();
    const { clock } = this.#deps;
    if (what === null || clock.monotonic() - this.#watchedAtMonotonic < what.everyMs) return;
    const counted = await this.sample(what.matches);
    if (!counted.ok) {
      this.#unreadable(counted.error);
      return;
    }
    this.#watchedAtMonotonic = clock.monotonic();
    this.#activityAt = clock.now();
  }

  /** Takes counters and connections of some services into the picture, and nothing else of what it reads. */
  sample(matches: readonly ServiceMatch[]): Promise<Result<void, CodedError>> {
    return this.#turns.run(async () => {
      if (this.#ports === null) return err(new CodedError('NETLINK_UNAVAILABLE', 'no dataplane is open'));
      const read = await this.#ports.dataplane.readServices(matches);
      if (!read.ok) return read;
      const picture = this.#picture;
      if (picture !== null) this.#picture = { ...picture, services: withActivity(picture.services, read.value) };
      return ok(undefined);
    });
  }

  #watched(): Watched | null {
    return this.#picture === null ? null : watched(this.#report.leaving, this.#previous, this.#picture.services);
  }

  /**
   * One pass: what is effective goes into the kernel. Addresses come before services and go after them.
   * @returns whether everything was carried out
   */
  async program(effective: Effective, drainTimeoutMs: number): Promise<boolean> {
    const picture = this.#picture;
    const ports = this.#ports;
    if (picture === null || ports === null) return false;
    const steps = this.#plan(effective, picture, drainTimeoutMs);
    const { foreign, leaving, leavingAddresses } = steps;
    this.#report = { ...this.#report, foreign, leaving, leavingAddresses };
    if (!this.#remember(steps.journal)) return false;
    const failures: string[] = [];
    const count = steps.services.length + steps.addresses.length;
    if (count > 0) await this.#carryOut(ports, steps, failures);
    await this.#markDriver.follow(ports.marks, effective, steps, this.#readAtMonotonic, failures);
    if (failures.length === 0) await this.#clearFormer(failures);
    this.#report = { ...this.#report, failures };
    if (failures.length === 0) return true;
    const fields = { failed: failures.length, first: failures.slice(0, SPELLED_OUT) };
    this.#deps.log.error(fields, 'part of the plan failed; the kernel is read again');
    this.#picture = null;
    return false;
  }

  /** Once this table has everything that is wanted, that of the dataplane before is not needed any more. */
  async #clearFormer(failures: string[]): Promise<void> {
    const { former = null } = this.#journal;
    if (former === null) return;
    const failure = await clearFormerTable(this.#deps.open, former);
    if (failure !== null) failures.push(failure);
    else this.#remember({ ...this.#journal, former: null });
  }

  async #carryOut(ports: KernelPorts, steps: Steps, failures: string[]): Promise<void> {
    const count = steps.services.length + steps.addresses.length;
    const adding = steps.addresses.filter(({ kind }) => kind === 'addAddress');
    const deleting = steps.addresses.filter(({ kind }) => kind === 'deleteAddress');
    const added = await this.#applyAddresses(ports.addresses, adding, failures);
    await this.#applyServices(ports.dataplane, steps.services, failures);
    // Those who are told send their packets here from now on, so what serves them has to be there.
    await this.#announcements.begin(ports.neighbors, added);
    await this.#announcements.end(deleting);
    await this.#applyAddresses(ports.addresses, deleting, failures);
    this.#report = { ...this.#report, lastApply: this.#deps.clock.now(), lastOps: count };
    await this.#noteHindrances(ports.dataplane);
  }

  /** Deletes everything of ours, whatever is wanted: for a stop that is meant to leave nothing behind. */
  async flush(): Promise<void> {
    const nothing: Effective = {
      revision: '',
      services: new Map(),
      kernel: new Map(),
      vips: new Map(),
      marks: [],
      nextChangeMs: null,
    };
    // Twice: the first pass sets weights to 0, the second, for which nothing may linger, deletes.
    for (let pass = 0; pass < 2 && (await this.refresh(0)); pass++) await this.program(nothing, 0);
  }

  async close(): Promise<void> {
    const ports = this.#ports;
    this.#ports = null;
    this.#kind = null;
    this.#announcements.stop();
    if (ports !== null) await closeKernel(ports);
  }

  #plan(effective: Effective, picture: Picture, drainTimeoutMs: number): Steps {
    const now = this.#deps.clock.now();
    const services = plan({
      effective,
      actual: picture.services,
      activityAt: this.#activityAt ?? now,
      journal: this.#journal,
      previous: this.#previous,
      settled: this.#settled,
      drainTimeoutMs,
      now,
    });
    const addresses = planAddresses({
      effective,
      actual: picture.addresses,
      journal: services.journal,
      serviceOps: services.ops,
      settled: this.#settledAddresses,
      drainTimeoutMs,
      now,
    });
    this.#previous = effective;
    this.#settled = services.settled;
    this.#settledAddresses = addresses.settled;
    this.#nextChangeMs = earlier(services.nextChangeMs, addresses.nextChangeMs);
    return {
      journal: addresses.journal,
      services: services.ops,
      addresses: addresses.ops,
      foreign: services.foreign,
      leaving: services.leaving,
      leavingAddresses: addresses.leaving,
    };
  }

  /** The journal must be on disk before the kernel is touched: what is not in it would later count as foreign. */
  #remember(journal: Journal): boolean {
    if (journal === this.#journal) return true;
    try {
      if (!isDryRun(this.#kind)) this.#deps.journalFile.save(journal);
    } catch (error) {
      const why = describeError(error);
      this.#deps.log.error({ error: why }, 'the journal cannot be written: the kernel is left as it is');
      this.#report = { ...this.#report, failures: [`the journal cannot be written: ${why}`] };
      return false;
    }
    this.#journal = journal;
    return true;
  }

  async #noteHindrances(dataplane: Dataplane): Promise<void> {
    const hindrances = (await dataplane.hindrances?.()) ?? [];
    const news = hindrances.filter((each) => !this.#report.hindrances.includes(each));
    if (news.length > 0) this.#deps.log.error({ hindrances: news }, 'the host does not forward');
    this.#report = { ...this.#report, hindrances };
  }

  async #applyServices(dataplane: Dataplane, ops: readonly DataplaneOp[], failures: string[]): Promise<void> {
    if (ops.length === 0) return;
    const report = await this.#turns.run(() => dataplane.apply(ops));
    this.#count(report, describeOp, failures);
    if (this.#picture === null) return;
    this.#picture = { ...this.#picture, services: applyToState(this.#picture.services, report.applied) };
  }

  /** @returns what was carried out */
  async #applyAddresses(
    addresses: InterfaceAddresses,
    ops: readonly AddressOp[],
    failures: string[],
  ): Promise<readonly AddressOp[]> {
    if (ops.length === 0) return [];
    const report = await addresses.apply(ops);
    const { applied } = report;
    this.#count(report, describeAddressOp, failures);
    if (this.#picture === null) return applied;
    this.#picture = { ...this.#picture, addresses: applyAddressOps(this.#picture.addresses, applied) };
    return applied;
  }

  #count<Op>(report: ApplyReport<Op>, describe: (op: Op) => string, failures: string[]): void {
    this.#deps.counters.operations += report.applied.length;
    this.#deps.counters.refusals += report.failed.length;
    for (const { op, error } of report.failed) failures.push(`${describe(op)}: ${error.message}`);
    if (report.lost !== null) failures.push(`replies were lost: ${report.lost.message}`);
  }

  #unreadable(error: CodedError): false {
    const why = describeError(error);
    if (this.#report.failures[0] !== why) this.#deps.log.error({ error: why }, 'the kernel cannot be read');
    this.#picture = null;
    this.#drift.lose();
    this.#report = { ...this.#report, failures: [why] };
    return false;
  }
}

function isDryRun(kind: DesiredAgent['dataplane'] | null): boolean {
  return kind === 'memory';
}

function describeAddressOp(op: AddressOp): string {
  const verb = op.kind === 'addAddress' ? 'add' : 'delete';
  return `${verb} address ${op.address} on ${op.interface}`;
}
