import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import { err } from '../../../src/core/result.ts';
import { harness, seed } from './cli-harness.ts';
import type { Harness } from './cli-harness.ts';
import { testFolder } from './folder-harness.ts';

const folder = testFolder();

/** A seeded store and its export. */
async function exported(): Promise<Harness> {
  const cli = harness();
  seed(cli.store);
  await cli.run('export', folder.path);
  return cli;
}

const contents = ({ store }: Harness): Record<string, string | undefined> =>
  Object.fromEntries([...store.records.keys()].map((path) => [path, store.text(path)]));

describe('apply', () => {
  it('changes nothing after an export, whatever its layout', async () => {
    const cli = await exported();
    const revisions = [...cli.store.records.values()].map(({ modified }) => modified);
    expect(await cli.run('lint', folder.path)).toMatchObject({ exitCode: 0 });
    expect(await cli.run('apply', '--prune', folder.path)).toEqual({
      exitCode: 0,
      out: 'nothing to write: the store says the same\n',
      err: '',
    });
    await cli.run('export', '--pretty', '--force', folder.path);
    expect((await cli.run('apply', '--prune', folder.path)).out).toContain('nothing to write');
    expect([...cli.store.records.values()].map(({ modified }) => modified)).toEqual(revisions);
  });

  it('shows the difference, then writes it in one go', async () => {
    const cli = await exported();
    folder.put('config/services/web.json', {
      vip: 'web',
      match: { ports: ['443'] },
      checks: ['https-ok'],
      scheduler: 'rr',
    });
    folder.put('config/services/web/reals/c.json', '{ "address": "10.0.0.13" }\n');
    folder.remove('config/services/web/reals/b.json');
    const dry = await cli.run('apply', '--prune', '--dry-run', folder.path);
    expect(dry.out).toContain('1 record added, 1 edited, 1 deleted (dry run: nothing was written)');
    expect(cli.store.text('config/services/web/reals/c')).toBeUndefined();
    const { exitCode, out } = await cli.run('apply', '--prune', folder.path);
    expect(exitCode).toBe(0);
    expect(out).toMatch(/^~ config\/services\/web\n {4}scheduler: nothing → "rr"\n- .*reals\/b\n\+ .*reals\/c\n/);
    expect(out).toMatch(/1 record added, 1 edited, 1 deleted: the store is at sha256:[0-9a-f]{64}\n$/);
    expect(cli.store.text('config/services/web/reals/c')).toBe('{ "address": "10.0.0.13" }\n');
    expect(cli.store.text('config/services/web/reals/b')).toBeUndefined();
    const at = /the store is at (sha256:.*)\n/.exec(out)?.[1] ?? '';
    expect((await cli.run('lint', '--json')).out).toContain(at);
  });

  it('keeps what the directory does not have, unless told to prune', async () => {
    const cli = await exported();
    folder.remove('config/services/web/reals/b.json');
    folder.put('config/services/web/reals/c.json', { address: '10.0.0.13' });
    const { out } = await cli.run('apply', folder.path);
    expect(out).toContain('kept (--prune deletes): config/services/web/reals/b');
    expect(cli.store.text('config/services/web/reals/b')).toBeDefined();
    expect(cli.store.text('config/services/web/reals/c')).toBeDefined();
  });

  it('does not take a file with another ending for a wish to delete', async () => {
    const cli = await exported();
    const before = contents(cli);
    const file = 'config/services/web/reals/b.json';
    folder.put(`${file}.bak`, folder.text(file));
    folder.remove(file);
    const { exitCode, err } = await cli.run('apply', '--prune', folder.path);
    expect([exitCode, err]).toEqual([1, expect.stringContaining(`reals/b, but ${file}.bak is no record`)]);
    expect(contents(cli)).toEqual(before);
    folder.remove(`${file}.bak`);
    expect(await cli.run('apply', '--prune', folder.path)).toMatchObject({ exitCode: 0 });
    expect(cli.store.text('config/services/web/reals/b')).toBeUndefined();
  });

  it('touches neither drains nor approvals', async () => {
    const cli = harness();
    seed(cli.store);
    const drain = { target: 'web/a', by: 'ana', why: 'x' };
    cli.store.put('config/drains/old', drain);
    await cli.run('export', folder.path);
    await cli.run('rm', 'config/drains/old');
    cli.store.put('config/drains/new', drain);
    const { out } = await cli.run('apply', '--prune', folder.path);
    expect(out).toContain('not applied, since drains and approvals are no configuration: config/drains/old');
    expect(cli.store.text('config/drains/old')).toBeUndefined();
    expect(cli.store.text('config/drains/new')).toBeDefined();
  });

  it('writes nothing if one record is not valid, or the directory is empty', async () => {
    const cli = await exported();
    const before = contents(cli);
    folder.put('config/vips/new.json', { addresses: ['203.0.113.11'] });
    folder.put('config/checks/https-ok.json', { type: 'htpp' });
    const { exitCode, err } = await cli.run('apply', folder.path);
    expect(exitCode).toBe(3);
    expect(err).toContain('config/checks/https-ok: type');
    expect(contents(cli)).toEqual(before);
    for (const file of folder.files()) folder.remove(file);
    expect(await cli.run('apply', '--prune', folder.path)).toMatchObject({ exitCode: 1 });
    expect(contents(cli)).toEqual(before);
  });

  it('writes nothing if somebody else was quicker, or has been since the plan', async () => {
    const cli = await exported();
    folder.put('config/services/web/reals/a.json', { address: '10.0.0.11', weight: 7 });
    folder.put('config/services/web/reals/b.json', { address: '10.0.0.12', weight: 7 });
    const planned = /(sha256:[0-9a-f]{64}) →/.exec((await cli.run('plan', folder.path)).out)?.[1] ?? '';
    cli.store.beforeWrite = () => cli.store.put('config/services/web/reals/b', { address: '10.0.0.12', weight: 3 });
    const { exitCode, err } = await cli.run('apply', '--expect', planned, folder.path);
    expect(exitCode).toBe(5);
    expect(err).toContain('config/services/web/reals/b was changed by somebody else; not written: config/services/web');
    expect(cli.store.text('config/services/web/reals/a')).toBe('{"address":"10.0.0.11"}');
    cli.store.beforeWrite = () => undefined;
    const late = await cli.run('apply', '--expect', planned, folder.path);
    expect(late.exitCode).toBe(5);
    expect(late.err).toContain(`not at ${planned}: somebody has edited it since`);
    expect(await cli.run('apply', folder.path)).toMatchObject({ exitCode: 0 });
    expect(await cli.run('apply', '--expect', 'web', folder.path)).toMatchObject({ exitCode: 2 });
  });

  it('says beforehand that it takes several transactions, and exactly how far it came', async () => {
    const cli = await exported();
    cli.store.limits = { atomic: true, operations: 2, bytes: Infinity };
    const before = contents(cli);
    for (const name of ['c', 'd', 'e', 'f']) {
      folder.put(`config/services/web/reals/${name}.json`, { address: `10.0.1.${name.charCodeAt(0)}` });
    }
    folder.put('config/vips/api.json', { addresses: ['203.0.113.11'] });
    const refused = await cli.run('apply', folder.path);
    expect(refused.exitCode).toBe(1);
    expect(refused.err).toContain('5 changes do not fit one transaction of this store; nothing was written');
    expect(refused.err).toContain('in 3 transactions');
    expect(contents(cli)).toEqual(before);
    let writes = 0;
    cli.store.beforeWrite = () => {
      if (++writes === 2) cli.store.put('config/services/web/reals/e', { address: '10.9.9.9' });
    };
    const { exitCode, err } = await cli.run('apply', '--yes', folder.path);
    expect(exitCode).toBe(5);
    expect(err).toContain(
      'not written: config/services/web/reals/d, config/services/web/reals/e, config/services/web/reals/f',
    );
    expect(err).toContain('written before: config/vips/api, config/services/web/reals/c');
    expect(cli.store.text('config/vips/api')).toBeDefined();
    expect(cli.store.text('config/services/web/reals/d')).toBeUndefined();
    cli.store.beforeWrite = () => undefined;
    expect(await cli.run('apply', '--yes', folder.path)).toMatchObject({ exitCode: 0 });
    expect((await cli.run('apply', folder.path)).out).toContain('nothing to write');
  });

  it('writes nothing when the store takes less than it says, unless it may write in parts', async () => {
    const cli = await exported();
    const before = contents(cli);
    for (let n = 10; n < 20; n++) folder.put(`config/vips/v${n}.json`, { addresses: [`203.0.113.${n + 10}`] });
    const sizes: number[] = [];
    const { store } = cli;
    store.write = ((real) => (ops) => {
      sizes.push(ops.length);
      if (ops.length > 3) return Promise.resolve(err(new CodedError('STORE_TOO_LARGE', 'jute.maxbuffer')));
      return real(ops);
    })(store.write.bind(store));
    const refused = await cli.run('apply', folder.path);
    expect(refused.exitCode).toBe(1);
    expect(refused.err).toContain('10 changes do not fit one transaction of this store; nothing was written');
    expect(contents(cli)).toEqual(before);
    expect(await cli.run('apply', '--yes', folder.path)).toMatchObject({ exitCode: 0, err: '' });
    expect(sizes).toEqual([10, 10, 5, 3, 2, 5, 3, 2]);
    expect((await cli.run('apply', folder.path)).out).toContain('nothing to write');
  });

  it('says that the guard will hold it, before it does', async () => {
    const cli = harness();
    seed(cli.store);
    for (const name of ['c', 'd', 'e']) {
      cli.store.put(`config/services/web/reals/${name}`, { address: `10.0.1.${name.charCodeAt(0)}` });
    }
    await cli.run('export', folder.path);
    for (const name of ['a', 'b', 'c', 'd']) folder.remove(`config/services/web/reals/${name}.json`);
    const { exitCode, out } = await cli.run('apply', '--prune', folder.path);
    expect(exitCode).toBe(0);
    const at = /the store is at (sha256:.*)\n/.exec(out)?.[1] ?? '';
    expect(out).toContain(`HELD by the guard: 4 of 5 reals would be lost`);
    expect(out).toContain(`vipkeeper approve ${at}`);
  });
});
