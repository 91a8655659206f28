import { describe, expect, it } from 'vitest';
import { harness, seed } from './cli-harness.ts';
import { testFolder } from './folder-harness.ts';

const folder = testFolder();

describe('lint', () => {
  it('finds nothing in a sound store, nor in its export', async () => {
    const { store, run } = harness();
    seed(store);
    expect(await run('lint')).toEqual({ exitCode: 0, out: '5 records, no agent of their own: no problems\n', err: '' });
    await run('export', folder.path);
    expect(await run('lint', folder.path)).toMatchObject({ exitCode: 0, err: '' });
  });

  it('needs neither store nor bootstrap file for a directory', async () => {
    const fail = (): never => {
      throw new Error('asked for');
    };
    folder.put('config/vips/web.json', { addresses: ['203.0.113.10'] });
    const { run } = harness({ loadBootstrap: fail, openStore: fail });
    expect(await run('lint', folder.path)).toMatchObject({ exitCode: 0 });
  });

  it('says path, field, found, allowed and effect of every error', async () => {
    const { run } = harness();
    folder.put('config/vips/web.json', { addresses: ['203.0.113.10'] });
    folder.put('config/services/web.json', { vip: 'web', match: { ports: ['80'] }, schedular: 'rr' });
    folder.put('config/services/web/reals/a.json', '');
    folder.put('config/checks/x.json', { type: 'htpp' });
    const { exitCode, out } = await run('lint', folder.path);
    expect(exitCode).toBe(3);
    expect(out).toContain(
      'error: config/services/web: schedular: found an unknown field "schedular", allowed "scheduler"?',
    );
    expect(out).toContain('(ignored)');
    expect(out).toContain('config/checks/x: type: found "htpp"');
    expect(out).toMatch(/config\/services\/web\/reals\/a: found "the file is empty"/);
    const json = JSON.parse((await run('lint', '--json', folder.path)).out) as { findings: object[] };
    expect(json).toMatchObject({ records: 4, agents: [] });
    expect(json.findings).toContainEqual({
      path: 'config/services/web',
      field: 'schedular',
      found: 'an unknown field "schedular"',
      allowed: expect.stringContaining('"scheduler"') as string,
      effect: 'ignored',
      severity: 'error',
      agents: null,
    });
  });

  it('judges as every agent does, and names those that meet a problem', async () => {
    const { store, run } = harness();
    seed(store);
    store.put('config/services/edge', { vip: 'web', match: { ports: ['443'] }, agents: { pool: 'edge' } });
    store.put('config/agents/core1', { labels: { pool: 'core' } });
    expect((await run('lint')).out).toMatch(/error: config\/services\/edge: match: [^[]*\n/);
    store.put('config/agents/edge1', { labels: { pool: 'edge' } });
    store.put('config/agents/edge2', { labels: { pool: 'edge' } });
    const all = await run('lint');
    expect(all).toMatchObject({ exitCode: 3 });
    expect(all.out).toMatch(/error: config\/services\/edge: .* \[edge1, edge2\]\n/);
    expect(all.out).toContain('3 agents: 1 error');
    expect(await run('lint', '--agent', 'core1')).toMatchObject({ exitCode: 0 });
    expect(await run('lint', '--agent', 'edge2')).toMatchObject({ exitCode: 3 });
    store.put('config/agents/core1', { labels: { pool: 'core' }, dataplane: 'iptables' });
    expect((await run('lint', '--agent', 'core1')).out).toContain('config/agents/core1: dataplane');
    expect((await run('lint', '--agent', 'edge1')).out).not.toContain('iptables');
  });

  it('gives advice without failing, unless it is to be strict', async () => {
    const { store, run } = harness();
    seed(store);
    store.put('config/drains/chg-1', { target: 'nope', by: 'ana', why: 'test' });
    const lax = await run('lint');
    expect(lax).toMatchObject({ exitCode: 0 });
    expect(lax.out).toMatch(/^advice: config\/drains\/chg-1: target: /);
    expect(await run('lint', '--strict')).toMatchObject({ exitCode: 3 });
  });

  it('points at files that are no records because of their names', async () => {
    const { run } = harness();
    folder.put('README.md', 'fine here');
    folder.put('config/vips/web.json', { addresses: ['203.0.113.10'] });
    folder.put('config/vips/api.jsn', '{}');
    const { exitCode, out } = await run('lint', folder.path);
    expect(exitCode).toBe(0);
    expect(out).toContain('advice: config/vips/api.jsn: found a file that is no record');
  });

  it('does not take the wrong directory for an empty configuration', async () => {
    folder.put('vips/web.json', { addresses: ['203.0.113.10'] });
    const { run } = harness();
    expect(await run('lint', folder.path)).toMatchObject({ exitCode: 1 });
    expect((await run('lint', `${folder.path}/nope`)).err).toContain('no folder "config"');
  });
});
