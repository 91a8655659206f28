import { describe, expect, it } from 'vitest';
import { AnnouncementDriver } from '../../../src/agent/announcement-driver.ts';
import { CodedError } from '../../../src/core/errors.ts';
import { err, ok } from '../../../src/core/result.ts';
import type { HeldAddress, NeighborAnnouncer } from '../../../src/ipvs/announce/neighbor-announcer.ts';
import { address } from '../../contract/dataplane-samples.ts';
import { ManualClock, settle } from '../../fakes/manual-clock.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';

const WEB: HeldAddress = { interface: 'eth0', address: address('192.0.2.10') };
const MAIL: HeldAddress = { interface: 'eth0', address: address('2001:db8::25') };
const LOCAL: HeldAddress = { interface: 'lo', address: address('192.0.2.11') };

/** A link whose cable can be taken out. */
class Link implements NeighborAnnouncer {
  /** "seconds address", in order. */
  readonly told: string[] = [];
  readonly #clock: ManualClock;
  down: string | null = null;
  broken = false;
  /** Holds the next announcement up, as a kernel that is slow to answer. */
  gate: Promise<void> = Promise.resolve();

  constructor(clock: ManualClock) {
    this.#clock = clock;
  }

  async announce(addresses: readonly HeldAddress[]) {
    await this.gate;
    if (this.broken) throw new Error('a defect');
    return addresses.map((held) => {
      if (held.interface === 'lo') return ok('noNeighbors' as const);
      if (this.down !== null) return err(new CodedError('NEIGHBORS_NOT_TOLD', this.down));
      this.told.push(`${this.#clock.monotonic() / 1_000} ${held.address}`);
      return ok('sent' as const);
    });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

function world() {
  const clock = new ManualClock();
  const log = new RecordingLog();
  return { clock, log, link: new Link(clock), driver: new AnnouncementDriver({ clock, log }) };
}

describe('an address that was put on an interface', () => {
  it('is announced at once, after two seconds, and after six; then no more', async () => {
    const { clock, link, driver } = world();
    await driver.begin(link, [WEB]);
    expect(link.told).toEqual(['0 192.0.2.10']);
    await clock.advanceAsync(600_000);
    expect(link.told).toEqual(['0 192.0.2.10', '2 192.0.2.10', '6 192.0.2.10']);
    expect(clock.pendingTimers).toBe(0);
  });

  it('is not announced where there are no neighbours, and nothing waits for it', async () => {
    const { clock, link, driver } = world();
    await driver.begin(link, [LOCAL]);
    expect([link.told, clock.pendingTimers, driver.failures()]).toEqual([[], 0, []]);
  });

  it('is no longer announced when it is to be removed, others are', async () => {
    const { clock, link, driver } = world();
    await driver.begin(link, [WEB, MAIL]);
    await clock.advanceAsync(1_000);
    await driver.end([WEB]);
    await clock.advanceAsync(10_000);
    expect(link.told).toEqual(['0 192.0.2.10', '0 2001:db8::25', '2 2001:db8::25', '6 2001:db8::25']);
  });

  it('is not removed before an announcement that is under way is out', async () => {
    const { clock, link, driver } = world();
    await driver.begin(link, [WEB]);
    let open = (): void => undefined;
    link.gate = new Promise((resolve) => (open = resolve));
    clock.advance(2_000);
    await settle();
    const steps: string[] = [];
    const ended = driver.end([WEB]).then(() => steps.push(`ended after ${link.told.length} announcements`));
    await settle();
    expect(steps).toEqual([]);
    open();
    await ended;
    expect(steps).toEqual(['ended after 2 announcements']);
    await clock.advanceAsync(10_000);
    expect(link.told.length).toBe(2);
  });

  it('is no longer announced once somebody else has removed it', async () => {
    const { clock, link, driver } = world();
    await driver.begin(link, [WEB]);
    await driver.review(link, [LOCAL]);
    await clock.advanceAsync(10_000);
    expect(link.told).toEqual(['0 192.0.2.10']);
  });

  it('that was put there anew begins anew, and the series before it ends', async () => {
    const { clock, link, driver } = world();
    await driver.begin(link, [WEB]);
    await clock.advanceAsync(1_000);
    await driver.begin(link, [WEB]);
    await clock.advanceAsync(20_000);
    expect(link.told).toEqual(['0 192.0.2.10', '1 192.0.2.10', '3 192.0.2.10', '7 192.0.2.10']);
  });
});

describe('a stop', () => {
  it('ends all announcements, and leaves no timer', async () => {
    const { clock, link, driver } = world();
    await driver.begin(link, [WEB, MAIL]);
    driver.stop();
    expect(clock.pendingTimers).toBe(0);
    await clock.advanceAsync(10_000);
    expect(link.told.length).toBe(2);
  });

  it('in the middle of one arms nothing for later', async () => {
    const { clock, link, driver } = world();
    let open = (): void => undefined;
    link.gate = new Promise((resolve) => (open = resolve));
    const begun = driver.begin(link, [WEB]);
    await settle();
    driver.stop();
    open();
    await begun;
    expect(clock.pendingTimers).toBe(0);
  });
});

describe('neighbours that cannot be told', () => {
  const DOWN = 'announce 192.0.2.10 on eth0: the interface is down';

  it('are a failure, which is logged once, until one announcement is out', async () => {
    const { clock, log, link, driver } = world();
    link.down = 'the interface is down';
    await driver.begin(link, [WEB]);
    await clock.advanceAsync(2_000);
    expect(driver.failures()).toEqual([DOWN]);
    expect(log.about('cannot be told').length).toBe(1);
    link.down = null;
    await clock.advanceAsync(4_000);
    expect([link.told, driver.failures()]).toEqual([['6 192.0.2.10'], []]);
  });

  it('are tried again after each reading of the kernel, not in between', async () => {
    const { clock, log, link, driver } = world();
    link.down = 'the interface is down';
    await driver.begin(link, [WEB]);
    await driver.review(link, [WEB]);
    await clock.advanceAsync(60_000);
    link.down = null;
    await clock.advanceAsync(60_000);
    expect([link.told, driver.failures()]).toEqual([[], [DOWN]]);
    await driver.review(link, [WEB]);
    await clock.advanceAsync(60_000);
    expect(link.told).toEqual(['120 192.0.2.10', '122 192.0.2.10', '126 192.0.2.10']);
    expect([driver.failures(), log.about('cannot be told').length]).toEqual([[], 1]);
  });

  it('are no failure any more once the address is gone', async () => {
    const { link, driver } = world();
    link.down = 'the interface is down';
    await driver.begin(link, [WEB, MAIL]);
    await driver.end([WEB]);
    await driver.review(link, []);
    expect(driver.failures()).toEqual([]);
  });

  it('are a failure too when the announcer breaks, and the caller goes on', async () => {
    const { clock, link, driver } = world();
    link.broken = true;
    await driver.begin(link, [WEB]);
    expect(driver.failures()).toEqual(['announce 192.0.2.10 on eth0: a defect']);
    link.broken = false;
    await clock.advanceAsync(2_000);
    expect(driver.failures()).toEqual([]);
  });
});
