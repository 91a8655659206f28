import { ConfigIntake } from '../../src/agent/config-intake.ts';
import { LastKnownGoodFile } from '../../src/agent/last-known-good.ts';
import type { LastKnownGood } from '../../src/agent/last-known-good.ts';
import { checkCatalog } from '../../src/checks/decode.ts';
import { RecordDecoder } from '../../src/model/decode.ts';
import { ManualClock } from './manual-clock.ts';
import { MemorySource, MemoryStore } from './memory-store.ts';
import { RecordingLog } from './recording-log.ts';
import { tempDir } from './temp-dir.ts';

export const SERVICES = ['s0', 's1', 's2', 's3', 's4', 's5', 's6', 's7', 's8', 's9'];

/** A store with ten services, s0 to s9, and an intake on it. Limits are the default ones: 30 %, but always 2. */
export class IntakeBench {
  readonly clock = new ManualClock();
  readonly store = new MemoryStore();
  readonly log = new RecordingLog();
  readonly stateDir: string;
  readonly source = new MemorySource(this.store);
  readonly file: LastKnownGoodFile;
  readonly intake: ConfigIntake;
  pokes = 0;

  constructor(stateDir = tempDir(), decoder = new RecordDecoder(checkCatalog)) {
    this.stateDir = stateDir;
    const { clock, log, source } = this;
    this.file = new LastKnownGoodFile(stateDir, { clock, log });
    this.intake = new ConfigIntake(
      { agent: 'lb1', storeWaitMs: 5_000 },
      { source, decoder, file: this.file, clock, random: () => 0, log },
    );
    this.intake.onChange(() => this.pokes++);
  }

  fill(): this {
    this.store.put('config/agents/lb1', {});
    this.store.put('config/vips/shop', { addresses: ['192.0.2.10'] });
    SERVICES.forEach((name, index) => {
      this.store.put(`config/services/${name}`, { vip: 'shop', match: { ports: [String(8_000 + index)] } });
    });
    return this;
  }

  async start(saved: LastKnownGood | null = this.file.load()): Promise<this> {
    this.intake.start(saved);
    await this.pass(0);
    return this;
  }

  async pass(ms: number): Promise<void> {
    await this.clock.advanceAsync(ms);
    await this.clock.advanceAsync(0);
  }

  async lose(...names: readonly string[]): Promise<void> {
    for (const name of names) this.store.remove(`config/services/${name}`);
    await this.pass(0);
  }

  get services(): string[] {
    return Object.keys(this.intake.accepted()?.services ?? {}).sort();
  }

  get held(): readonly string[] | null {
    return this.intake.view().hold?.lost.slice().sort() ?? null;
  }
}

/** A later process in the same state directory, with a store that has the same records. */
export async function restarted(before: IntakeBench): Promise<IntakeBench> {
  await before.intake.stop();
  return new IntakeBench(before.stateDir).fill();
}

export const without = (...gone: readonly string[]): string[] => SERVICES.filter((name) => !gone.includes(name));
