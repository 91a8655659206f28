import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { newCounters } from '../../../src/agent/counters.ts';
import { JournalFile } from '../../../src/agent/journal-file.ts';
import { KernelDriver } from '../../../src/agent/kernel-driver.ts';
import { journalFor } from '../../../src/agent/policy/former-services.ts';
import type { Journal } from '../../../src/agent/policy/journal.ts';
import { CodedError } from '../../../src/core/errors.ts';
import { configuration, real, service } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';
import { HostKernel } from '../../fakes/host-kernel.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { opsFor } from '../../fakes/model-kernel.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';
import { tempDir } from '../../fakes/temp-dir.ts';

const WEB = 'tcp|192.0.2.10|80';
const SHOP = configuration([service('web', [real('a', '10.0.0.1')])]);
const OURS = { [WEB]: '10.0.0.1|80 10' };
const STRANGER = { 'tcp|192.0.2.99|80': { '10.9.9.9|80': 5 } };
const STRANGERS = { 'tcp|192.0.2.99|80': '10.9.9.9|80 5' };

type Kind = 'ipvs' | 'ipvsadm' | 'nftables' | 'memory';

/** A host with both tables in its kernel, and an agent on it that may be started anew. */
class Bench {
  readonly ipvs = new HostKernel();
  readonly nftables = new HostKernel();
  readonly #memory = new HostKernel();
  readonly #dir = tempDir();
  readonly #clock = new ManualClock();
  #driver = this.#start();

  #start(): KernelDriver {
    const deps = { clock: this.#clock, log: new RecordingLog() };
    const hosts = { ipvs: this.ipvs, ipvsadm: this.ipvs, nftables: this.nftables, memory: this.#memory };
    const journalFile = new JournalFile(this.#dir, deps);
    return new KernelDriver({ ...deps, open: (kind) => hosts[kind].open(kind), journalFile, counters: newCounters() });
  }

  async restart(): Promise<void> {
    await this.#driver.close();
    this.#driver = this.#start();
  }

  /** What stands in the state directory is garbage. */
  tearJournal(): void {
    writeFileSync(join(this.#dir, 'journal.json'), '{"half');
  }

  async pass(kind: Kind, desired = SHOP): Promise<boolean> {
    const decisions = new Decisions();
    await this.#driver.use(kind);
    await this.#driver.refresh(60_000);
    decisions.actual = this.#driver.picture()?.services ?? null;
    decisions.now = this.#clock.now();
    decisions.monotonic = this.#clock.monotonic();
    return this.#driver.program(decisions.decide(desired, { '10.0.0.1': 'up' }), desired.agent.drainTimeoutMs);
  }

  get failures(): readonly string[] {
    return this.#driver.report().failures;
  }

  async tables(): Promise<unknown> {
    return { ipvs: await this.ipvs.table(), nftables: await this.nftables.table() };
  }

  async flush(): Promise<void> {
    await this.#driver.flush();
  }
}

describe('another dataplane', () => {
  it('takes over, and then what is ours in the table of the one before goes, and nothing else', async () => {
    const bench = new Bench();
    await bench.ipvs.outsider(opsFor(STRANGER));
    await bench.pass('ipvs');
    bench.ipvs.connections.set(`${WEB} 10.0.0.1|80`, 3);
    expect(await bench.pass('nftables')).toBe(true);
    expect(await bench.tables()).toEqual({ ipvs: STRANGERS, nftables: OURS });
    expect(await bench.pass('ipvsadm')).toBe(true);
    expect(await bench.tables()).toEqual({ ipvs: { ...STRANGERS, ...OURS }, nftables: {} });
  });

  it('knows which table is its own, though the journal was refused once', async () => {
    const bench = new Bench();
    await bench.pass('ipvs');
    await bench.restart();
    bench.tearJournal();
    await bench.pass('ipvs');
    await bench.restart();
    expect(await bench.pass('nftables')).toBe(true);
    expect(await bench.tables()).toEqual({ ipvs: {}, nftables: OURS });
  });

  it('leaves that of the one before alone until everything wanted is in its own, also over a restart', async () => {
    const bench = new Bench();
    await bench.pass('ipvs');
    bench.nftables.disturb = ({ kind }) => (kind === 'addDestination' ? 'ENOMEM' : null);
    expect(await bench.pass('nftables')).toBe(false);
    expect(await bench.tables()).toEqual({ ipvs: OURS, nftables: { [WEB]: '' } });
    await bench.restart();
    bench.nftables.disturb = () => null;
    expect(await bench.pass('nftables')).toBe(true);
    expect(await bench.tables()).toEqual({ ipvs: {}, nftables: OURS });
  });

  it('can be given up half way', async () => {
    const bench = new Bench();
    await bench.pass('ipvs');
    bench.nftables.disturb = ({ kind }) => (kind === 'addDestination' ? 'ENOMEM' : null);
    await bench.pass('nftables');
    await bench.restart();
    bench.ipvs.take();
    expect(await bench.pass('ipvs')).toBe(true);
    expect(await bench.tables()).toEqual({ ipvs: OURS, nftables: {} });
    expect(bench.ipvs.take()).toEqual([]);
  });

  it('is not enough while the table of the one before cannot be cleared: it may take packets away', async () => {
    const bench = new Bench();
    await bench.pass('nftables');
    bench.nftables.unreadable = new CodedError('NFT_FAILED', 'no nft here');
    expect(await bench.pass('ipvs')).toBe(false);
    expect(bench.failures).toEqual([
      'what the dataplane nftables holds of ours cannot be taken out: NFT_FAILED: no nft here',
    ]);
    bench.nftables.unreadable = null;
    expect(await bench.pass('ipvs')).toBe(true);
    expect(await bench.tables()).toEqual({ ipvs: OURS, nftables: {} });
  });

  it('of the same table finds all its services there, and changes nothing', async () => {
    const bench = new Bench();
    await bench.pass('ipvs');
    bench.ipvs.take();
    expect(await bench.pass('ipvsadm')).toBe(true);
    expect(bench.ipvs.take()).toEqual([]);
  });

  it('that is a dry run takes nothing out, and forgets nothing', async () => {
    const bench = new Bench();
    await bench.pass('ipvs');
    await bench.pass('memory');
    expect(await bench.tables()).toEqual({ ipvs: OURS, nftables: {} });
    await bench.pass('nftables');
    expect(await bench.tables()).toEqual({ ipvs: {}, nftables: OURS });
  });

  it('is flushed together with what the one before has left', async () => {
    const bench = new Bench();
    await bench.pass('ipvs');
    bench.nftables.disturb = ({ kind }) => (kind === 'addDestination' ? 'ENOMEM' : null);
    await bench.pass('nftables');
    await bench.flush();
    expect(await bench.tables()).toEqual({ ipvs: {}, nftables: {} });
  });
});

describe('a journal of another boot', () => {
  const entry = { service: 'web', leaving: null, destinations: {} };
  const journal: Journal = {
    services: { [WEB]: entry },
    addresses: {},
    dataplane: 'ipvs',
    former: { dataplane: 'nftables', services: { [WEB]: entry } },
  };

  it('has nothing to take out of another table, which that kernel never had', () => {
    expect(journalFor('ipvs', journal, false)).toEqual({ ...journal, former: null });
    expect(journalFor('nftables', journal, false)).toMatchObject({ services: {}, former: null });
  });
});
