import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import { err } from '../../../src/core/result.ts';
import { ManualClock, settle } from '../../fakes/manual-clock.ts';
import type { Harness, Outcome } from './cli-harness.ts';
import { harness, seed } from './cli-harness.ts';

interface Watching extends Harness {
  readonly clock: ManualClock;
  /** Everything that was said until it was interrupted. */
  readonly stop: () => Promise<Outcome>;
}

/** `vipkeeper watch ARGS` on a seeded store, under way. */
async function watching(...args: readonly string[]): Promise<Watching> {
  const clock = new ManualClock();
  let interrupt: () => void = () => undefined;
  const interrupted = new Promise<void>((resolve) => (interrupt = resolve));
  const cli = harness({ clock, interrupted: () => interrupted });
  seed(cli.store);
  const outcome = cli.run('watch', ...args);
  await settle();
  return {
    ...cli,
    clock,
    stop: async () => {
      await settle();
      interrupt();
      return outcome;
    },
  };
}

const AT = '2026-01-01T00:00:00.000Z';

describe('watch', () => {
  it('says what was there, then each change with its fields, and ends well', async () => {
    const { store, stop } = await watching();
    store.put('config/services/web/reals/c', { address: '10.0.0.13' });
    await settle();
    store.put('config/services/web/reals/c', { address: '10.0.0.13', weight: 5 });
    await settle();
    await store.write([{ kind: 'delete', path: 'config/services/web/reals/c' }]);
    const { exitCode, out, err: said } = await stop();
    expect(exitCode).toBe(0);
    expect(said).toBe('watching 5 records at and below config\n');
    expect(out).toBe(
      [
        `${AT} + config/services/web/reals/c`,
        '    {"address":"10.0.0.13"}',
        `${AT} ~ config/services/web/reals/c`,
        '    weight: nothing → 5',
        `${AT} - config/services/web/reals/c`,
        '',
      ].join('\n'),
    );
    expect(store.watchers.size).toBe(0);
    expect(store.closed).toBe(true);
  });

  it('writes a JSON object a line', async () => {
    const { store, stop } = await watching('--json', 'config/vips');
    store.put('config/checks/other', { type: 'tcp' });
    store.put('config/vips/web', { addresses: ['203.0.113.11'] });
    store.put('config/vips/bad', 'x');
    const { out } = await stop();
    const lines = out.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as unknown)).toEqual([
      { at: AT, kind: 'add', path: 'config/vips/bad', text: 'x' },
      {
        at: AT,
        kind: 'edit',
        path: 'config/vips/web',
        fields: [{ field: 'addresses', before: ['203.0.113.10'], after: ['203.0.113.11'] }],
      },
    ]);
  });

  it('says nothing of a state record whose times are refreshed, unless asked', async () => {
    const health = { at: 'one', validUntil: 'one', quorum: 'held' };
    for (const [args, shown] of [
      [[], false],
      [['--all'], true],
    ] as const) {
      const { store, stop } = await watching('state', ...args);
      store.put('state/health/web/lb1', health);
      await settle();
      store.put('state/health/web/lb1', { ...health, at: 'two', validUntil: 'two' });
      await settle();
      store.put('state/health/web/lb1', { ...health, at: 'three', quorum: 'lost' });
      const { out } = await stop();
      expect(out.includes('at: "one" → "two"')).toBe(shown);
      expect(out).toContain('    quorum: "held" → "lost"\n');
    }
  });

  it('says that the store is lost, once, and shows afterwards what it has missed', async () => {
    const { store, stop } = await watching();
    const [handlers] = store.watchers;
    if (handlers === undefined) throw new Error('nobody watches');
    const lost = new CodedError('STORE_DISCONNECTED', 'gone', { transient: true });
    handlers.onState(lost);
    handlers.onState(lost);
    await settle();
    store.put('config/vips/new', { addresses: ['203.0.113.12'] });
    handlers.onState(null);
    handlers.onChange();
    const { out, err: said } = await stop();
    expect(said).toBe(
      'watching 5 records at and below config\n' +
        'the store is lost: STORE_DISCONNECTED: gone; it is tried again\nthe store is there again\n',
    );
    expect(out).toContain('+ config/vips/new');
  });

  it('reads again after a reading that failed', async () => {
    const { store, clock, stop } = await watching('--json');
    const list = store.list.bind(store);
    store.list = () => Promise.resolve(err(new CodedError('STORE_CONFLICT', 'it never rests', { transient: true })));
    store.put('config/vips/new', { addresses: ['203.0.113.12'] });
    await settle();
    store.list = list;
    await clock.advanceAsync(1_000);
    const { out } = await stop();
    const lines = out.trim().split('\n');
    expect(lines.map((line) => JSON.parse(line) as object)).toMatchObject([
      { store: 'lost' },
      { store: 'back' },
      { kind: 'add', path: 'config/vips/new' },
    ]);
  });

  it('fails at once where the store cannot be read at all', async () => {
    const cli = harness();
    cli.store.list = () => Promise.resolve(err(new CodedError('STORE_UNREACHABLE', 'nobody')));
    expect(await cli.run('watch')).toMatchObject({ exitCode: 4, out: '' });
  });
});
