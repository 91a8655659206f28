import { Agent } from '../../src/agent/agent.ts';
import { checkCatalog } from '../../src/checks/decode.ts';
import { ok } from '../../src/core/result.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { RecordDecoder } from '../../src/model/decode.ts';
import type { StatusView } from '../../src/model/status.ts';
import type { ZookeeperOptions } from '../../src/sources/zookeeper/options.ts';
import { ROOT, SESSION_MS, WatchedSource } from '../lab/zookeeper-kit.ts';
import type { ZookeeperOutsider } from '../lab/zookeeper-outsider.ts';
import { ALL_UP, SHOP_WITH_BGP, WEB } from './agent-world.ts';
import { address } from './bgp-settings.ts';
import { HostKernel } from './host-kernel.ts';
import { RecordingLog } from './recording-log.ts';
import { RecordingSpeaker } from './recording-speaker.ts';
import { ScriptedRunner } from './scripted-runner.ts';
import { tempDir } from './temp-dir.ts';

/** Writes what such an agent is to serve. */
export async function putShop(outsider: ZookeeperOutsider): Promise<void> {
  for (const [name, value] of Object.entries(SHOP_WITH_BGP)) {
    await outsider.put(`${ROOT}/config/${name}`, JSON.stringify(value));
  }
}

/** A whole agent named lb1 at a real ZooKeeper and on real time. Kernel, checks and speaker are fakes. */
export class ZookeeperDirector {
  readonly store: WatchedSource;
  readonly log = new RecordingLog();
  readonly #host = new HostKernel();
  readonly #speaker = new RecordingSpeaker();
  readonly #agent: Agent;

  constructor(servers: readonly string[], options: Partial<ZookeeperOptions> = {}) {
    this.store = new WatchedSource(servers, options);
    const checks = new ScriptedRunner(systemClock);
    checks.find(ALL_UP);
    this.#agent = new Agent(
      { agent: 'lb1', version: '0', stateDir: tempDir(), sessionTimeoutMs: SESSION_MS, storeWaitMs: 5_000 },
      {
        source: this.store.source,
        decoder: new RecordDecoder(checkCatalog),
        checks,
        speaker: this.#speaker,
        openKernel: this.#host.open,
        openSettings: this.#host.openSettings,
        sysctls: { read: (name) => this.#host.sysctls.get(name) ?? null },
        routerId: address('10.1.0.2'),
        resolveSecret: (reference) => ok(reference),
        localProblems: () => [],
        clock: systemClock,
        random: Math.random,
        log: this.log,
      },
    );
    this.#agent.start();
  }

  status(): StatusView {
    return this.#agent.status();
  }

  /** Whether the shop is in the kernel, whole, and its address announced. */
  async serves(): Promise<boolean> {
    const table = await this.#host.table();
    const isWhole = table[WEB] === '10.0.0.1|80 10, 10.0.0.2|80 10, 10.0.0.3|80 10';
    return isWhole && this.#speaker.announced.join() === '192.0.2.10';
  }

  async stop(): Promise<void> {
    await this.#agent.stop({ kind: 'stop', flush: false });
  }
}
