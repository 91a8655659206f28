import { Ensembles } from '../../src/sources/zookeeper/ensembles.ts';
import type { Existence, WatchedZnode } from '../../src/sources/zookeeper/ensemble-watch.ts';
import { ManualClock, settle } from './manual-clock.ts';
import { ModelZnodes } from './model-znodes.ts';
import { RecordingLog } from './recording-log.ts';
import { ScriptedZookeeper } from './scripted-zookeeper.ts';

const SERVERS = ['10.0.0.1:2181', '10.0.0.2:2181'];

/** Znodes of an ensemble whose servers and clock are the test's. */
export class EnsembleBench {
  readonly clock = new ManualClock();
  readonly log = new RecordingLog();
  readonly store = new ScriptedZookeeper();
  readonly server = new ModelZnodes(this.store);
  readonly ensembles = new Ensembles({
    clock: this.clock,
    random: () => 0.999,
    log: this.log,
    dial: this.store.dial,
    lookup: () => Promise.reject(new Error('there are no names')),
  });

  watch(path: string): WatchedZnode {
    return this.ensembles.watch(SERVERS, path);
  }

  /** Lets the server answer everything, whatever new questions that brings. */
  async exchange(): Promise<void> {
    for (;;) {
      await settle();
      this.server.work();
      if (this.server.undelivered === 0) return;
      this.server.deliver();
    }
  }

  /** Asks, whether or not there is anybody to answer. */
  ask(znode: WatchedZnode): Promise<Existence> {
    return Promise.resolve(znode.ask());
  }

  /** Asks with a server that answers. */
  async learn(znode: WatchedZnode): Promise<Existence> {
    const answer = znode.ask();
    await this.exchange();
    return answer;
  }

  /** Asks of more znodes than may be under way at once. @returns the answers to come */
  async askOfCrowd(): Promise<readonly Promise<unknown>[]> {
    const answers = Array.from({ length: 600 }, (_, n) => this.ask(this.watch(`/n/${n}`)));
    await settle();
    return answers;
  }
}
