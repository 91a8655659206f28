import { describe, expect, it } from 'vitest';
import { RouteDriver } from '../../../src/agent/route-driver.ts';
import { peerSettings, route } from '../../fakes/bgp-settings.ts';
import { settle } from '../../fakes/manual-clock.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';
import { RecordingSpeaker } from '../../fakes/recording-speaker.ts';
import type { SpeakerSettings } from '../../../src/bgp/port.ts';
import { address } from '../../fakes/bgp-settings.ts';

const A = route('192.0.2.1');
const B = route('192.0.2.2');
const C = route('192.0.2.3');

function setUp() {
  const speaker = new RecordingSpeaker();
  const log = new RecordingLog();
  return { speaker, log, driver: new RouteDriver({ speaker, log }) };
}

function settings(changes: Partial<SpeakerSettings> = {}): SpeakerSettings {
  return {
    asn: 65_010,
    routerId: address('10.1.0.2'),
    gracefulRestartMs: 30_000,
    restarting: false,
    peers: [peerSettings()],
    ...changes,
  };
}

describe('withdrawals', () => {
  it('wait for the flush, and leave what stays', async () => {
    const { speaker, driver } = setUp();
    await driver.announce([A, B]);
    speaker.holdFlushes();
    let over = false;
    const withdrawn = driver.withdrawExcept([B, C]).then(() => (over = true));
    await settle();
    expect(speaker.announced).toEqual(['192.0.2.2']);
    expect(over).toBe(false);
    speaker.letFlush();
    await withdrawn;
    expect(driver.announced()).toEqual([B]);
  });

  it('wait a second for a peer that takes nothing, and go on, not without a word', async () => {
    const { speaker, driver, log } = setUp();
    await driver.announce([A]);
    speaker.holdFlushes();
    const withdrawn = driver.withdrawExcept([]);
    speaker.letFlush(false);
    await withdrawn;
    expect(speaker.patience.at(-1)).toBe(1_000);
    expect(log.about('not every peer took')).toHaveLength(1);
  });

  it('say nothing to the speaker when nothing has to go', async () => {
    const { speaker, driver } = setUp();
    await driver.announce([A]);
    speaker.events.length = 0;
    await driver.withdrawExcept([A, B]);
    expect(speaker.events).toEqual([]);
  });

  it('keep the attributes of what stays as they were announced', async () => {
    const { speaker, driver } = setUp();
    await driver.announce([A, B]);
    await driver.withdrawExcept([route('192.0.2.1', { med: 50 })]);
    expect(speaker.routes).toEqual([A]);
  });
});

describe('announcements', () => {
  it('replace the whole set, and are not repeated', async () => {
    const { speaker, driver } = setUp();
    await driver.announce([A]);
    await driver.announce([A]);
    await driver.announce([B]);
    expect(speaker.events).toEqual(['routes 192.0.2.1', 'flushed', 'routes 192.0.2.2', 'flushed']);
  });

  it('tell the speaker of an attribute that changed', async () => {
    const { speaker, driver } = setUp();
    await driver.announce([A]);
    await driver.announce([route('192.0.2.1', { communities: ['65000:100'] })]);
    expect(speaker.routes).toMatchObject([{ communities: ['65000:100'] }]);
  });
});

describe('settings', () => {
  it('reach the speaker only when they change', () => {
    const { speaker, driver } = setUp();
    driver.configure({ settings: null, failures: [] });
    driver.configure({ settings: settings(), failures: [] });
    driver.configure({ settings: settings(), failures: [] });
    driver.configure({ settings: settings({ peers: [peerSettings({ password: 'new' })] }), failures: [] });
    driver.configure({ settings: null, failures: [] });
    expect(speaker.configured.map((each) => each?.peers[0]?.password)).toEqual([undefined, null, 'new', undefined]);
  });

  it('that cannot be used are failures until they can, and are logged once', () => {
    const { driver, log } = setUp();
    const failures = ['peer tor1: no password'];
    driver.configure({ settings: settings({ peers: [] }), failures });
    driver.configure({ settings: settings({ peers: [] }), failures });
    expect(driver.failures()).toEqual(failures);
    expect(log.lines.filter(({ level }) => level === 'error')).toHaveLength(1);
    driver.configure({ settings: settings(), failures: [] });
    expect(driver.failures()).toEqual([]);
  });

  it('that a peer cannot follow are failures too', () => {
    const { speaker, driver } = setUp();
    driver.configure({ settings: settings(), failures: [] });
    speaker.problems = ['no next hop for IPv6'];
    expect(driver.failures()).toEqual(['peer tor1: no next hop for IPv6']);
  });
});
