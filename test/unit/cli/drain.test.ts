import { describe, expect, it } from 'vitest';
import type { Harness } from './cli-harness.ts';
import { harness, seed } from './cli-harness.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';

function seeded(): Harness {
  const clock = new ManualClock();
  const cli = harness({ clock }, { USER: 'ana' });
  seed(cli.store);
  return cli;
}

const drainAt = ({ store }: Harness, name: string): unknown =>
  JSON.parse(store.text(`config/drains/${name}`) ?? 'null');

describe('drain and undrain', () => {
  it('write a drain after its target, and delete it again', async () => {
    const cli = seeded();
    expect(await cli.run('drain', 'web/a', '--why', 'kernel upgrade')).toEqual({
      exitCode: 0,
      out: 'config/drains/web.a: web/a is to be drained\n',
      err: '',
    });
    expect(drainAt(cli, 'web.a')).toEqual({ target: 'web/a', by: 'ana', why: 'kernel upgrade' });
    expect(await cli.run('lint', '--strict')).toMatchObject({ exitCode: 0 });
    expect((await cli.run('drain', 'web/a', '--why', 'again')).err).toContain(
      'web/a is drained already: see config/drains/web.a',
    );
    expect(await cli.run('undrain', 'web/a')).toMatchObject({ exitCode: 0, out: 'config/drains/web.a: deleted\n' });
    expect(drainAt(cli, 'web.a')).toBeNull();
    expect((await cli.run('undrain', 'web/a')).err).toContain('there is no drain');
  });

  it('end at a time, or after a time', async () => {
    const clock = new ManualClock();
    const cli = harness({ clock }, { USER: 'ana' });
    seed(cli.store);
    await cli.run('drain', 'web', '--why', 'x', '--for', '2h', '--keep');
    expect(drainAt(cli, 'web')).toEqual({
      target: 'web',
      by: 'ana',
      why: 'x',
      until: new Date(clock.now() + 7_200_000).toISOString(),
      onExpiry: 'keep',
    });
    const until = new Date(clock.now() + 1_000).toISOString();
    await cli.run('drain', 'vip:web', '--why', 'x', '--until', until, '--by', 'bob');
    expect(drainAt(cli, 'vip.web')).toEqual({ target: 'vip:web', by: 'bob', why: 'x', until });
    const past = new Date(clock.now() - 1).toISOString();
    expect(await cli.run('drain', 'web/b', '--why', 'x', '--until', past)).toMatchObject({ exitCode: 2 });
    expect(await cli.run('drain', 'web/b', '--why', 'x', '--until', until, '--for', '1h')).toMatchObject({
      exitCode: 2,
    });
    expect(await cli.run('drain', 'web/b', '--why', 'x', '--for', '2')).toMatchObject({ exitCode: 2 });
    expect(await cli.run('drain', 'web/b', '--why', 'x', '--until', 'tomorrow')).toMatchObject({ exitCode: 3 });
  });

  it('refuse what is not there, and what is no target', async () => {
    const cli = seeded();
    const { exitCode, err } = await cli.run('drain', 'web/nope', '--why', 'x');
    expect(exitCode).toBe(3);
    expect(err).toContain('nothing was drained');
    expect(await cli.run('drain', 'real:web', '--why', 'x')).toMatchObject({ exitCode: 3 });
    expect(await cli.run('drain', 'web/a')).toMatchObject({ exitCode: 2 });
    expect([...cli.store.records.keys()].filter((path) => path.includes('drains'))).toEqual([]);
  });

  it('keep apart targets whose names come to the same, and end one by its name', async () => {
    const cli = seeded();
    cli.store.put('config/services/web.a', { vip: 'web', match: { ports: ['8080'] } });
    await cli.run('drain', 'web/a', '--why', 'x');
    expect((await cli.run('drain', 'web.a', '--why', 'x')).out).toContain('config/drains/web.a-2: web.a is');
    cli.store.put('config/drains/chg-1', { target: 'web/b', by: 'bob', why: 'y' });
    expect((await cli.run('undrain', 'web.a')).out).toBe('config/drains/web.a-2: deleted\n');
    expect((await cli.run('undrain', 'chg-1')).out).toBe('config/drains/chg-1: deleted\n');
    expect(drainAt(cli, 'web.a')).toMatchObject({ target: 'web/a' });
  });
});
