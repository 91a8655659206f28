import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { StatusView } from '../../../src/model/status.ts';
import { realView, serviceView, statusView } from '../../fakes/status-view.ts';
import { harness, seed } from './cli-harness.ts';
import { testFolder } from './folder-harness.ts';

const folder = testFolder();
const ending: (() => void)[] = [];

afterEach(() => {
  for (const end of ending.splice(0)) end();
});

async function agentThatSays(status: StatusView): Promise<string> {
  const server = createServer((_, reply) => void reply.end(JSON.stringify(status)));
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  ending.push(() => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

describe('plan', () => {
  it('ends with 0 when nothing would change, and with 8 when something would', async () => {
    const { store, run } = harness();
    seed(store);
    await run('export', '--pretty', folder.path);
    const nothing = await run('plan', folder.path);
    expect(nothing).toMatchObject({ exitCode: 0, err: '' });
    expect(nothing.out).toContain('0 records added, 0 edited, 0 deleted');
    expect(nothing.out).toContain('nothing changes on it');
    folder.put('config/services/web.json', { vip: 'web', match: { ports: ['443', '8443'] }, checks: ['https-ok'] });
    folder.put('config/services/web/reals/c.json', { address: '10.0.0.13' });
    const before = [...store.records.keys()];
    const { exitCode, out } = await run('plan', folder.path);
    expect(exitCode).toBe(8);
    expect(out).toContain('~ config/services/web\n    match.ports: ["443"] → ["443","8443"]\n');
    expect(out).toContain('+ config/services/web/reals/c\n    {"address":"10.0.0.13"}\n');
    expect(out).toContain('service web is changed: kernel services 1 → 2, destinations +4 ~0 -0');
    expect(out).toContain('in the kernel: services +1 ~0 -0, destinations +4 ~0 -0');
    expect([...store.records.keys()]).toEqual(before);
  });

  it('deletes only with --prune, and says what it keeps', async () => {
    const { store, run } = harness();
    seed(store);
    await run('export', folder.path);
    folder.remove('config/services/web/reals/b.json');
    const kept = await run('plan', folder.path);
    expect(kept.exitCode).toBe(0);
    expect(kept.out).toContain('and kept (--prune deletes): config/services/web/reals/b');
    const pruned = await run('plan', '--prune', folder.path);
    expect(pruned.exitCode).toBe(8);
    expect(pruned.out).toContain('- config/services/web/reals/b\n');
    expect(pruned.out).toMatch(/destinations \+0 ~0 -1; leaving: b/);
  });

  it('takes single edits from the command line, and refuses what is not valid', async () => {
    const { store, run } = harness();
    seed(store);
    const set = await run('plan', '--set', 'config/services/web/reals/a={"address": "10.0.0.11", "weight": 5}');
    expect(set.exitCode).toBe(8);
    expect(set.out).toContain('    weight: nothing → 5\n');
    const rm = await run('plan', '--rm', 'config/services/web/reals/a', '--rm', 'config/services/web/reals/b');
    expect(rm.out).toContain('leaving: a, b');
    const bad = await run('plan', '--set', 'config/services/web={"vip": "web"}');
    expect(bad.exitCode).toBe(3);
    expect(bad.err).toContain('config/services/web: match');
    expect(await run('plan', '--set', 'config/services/web')).toMatchObject({ exitCode: 2 });
    expect(await run('plan', '--rm', 'config/vips/nope')).toMatchObject({ exitCode: 1 });
    expect(await run('plan', '--rm', 'config/vips/web', folder.path)).toMatchObject({ exitCode: 2 });
    expect(await run('plan', '--prune')).toMatchObject({ exitCode: 2 });
    expect(await run('plan', '--rm', 'state/agents/lb1')).toMatchObject({ exitCode: 2 });
  });

  it('names the revision to approve when the guard would hold it', async () => {
    const { store, run } = harness();
    seed(store);
    for (const name of ['c', 'd', 'e'])
      store.put(`config/services/web/reals/${name}`, { address: `10.0.1.${name.charCodeAt(0)}` });
    const doomed = ['a', 'b', 'c', 'd'].flatMap((name) => ['--rm', `config/services/web/reals/${name}`]);
    const { out } = await run('plan', ...doomed);
    const revision = /→ (sha256:[0-9a-f]{64})\nAGENT/.exec(out)?.[1] ?? '';
    expect(out).toContain('HELD by the guard: 4 of 5 reals would be lost');
    expect(out).toContain(`vipkeeper approve ${revision}`);
    expect(out).toMatch(
      /AGENT lb1.*\n {2}nothing changes on it\nHELD[^]*once it is approved\n {2}service web is changed/,
    );
    const json = JSON.parse((await run('plan', '--json', ...doomed)).out) as { agent: { hold: object } };
    expect(json).toMatchObject({ after: revision, agent: { name: 'lb1', hold: { revision, lostCount: 4 } } });
    expect(json).toMatchObject({ changes: [{ kind: 'delete', path: 'config/services/web/reals/a' }, {}, {}, {}] });
  });

  it('counts the connections of the reals that would leave, if it can ask the agent', async () => {
    const { store, run } = harness();
    seed(store);
    const args = ['plan', '--rm', 'config/services/web/reals/a'];
    expect((await run(...args)).out).toMatch(
      /connections affected: unknown \(no agent answers at http:\/\/127.0.0.1:1/,
    );
    const real = realView('a', { activeConnections: 12, inactiveConnections: 3 });
    const status = statusView({ agent: 'lb1', services: [serviceView('web', [real])] });
    const api = await agentThatSays(status);
    const { out } = await run(...args, '--api', api);
    expect(out).toContain('connections affected: 12 active on 1 real\n  web/a: 12 active, 3 inactive; leaves');
    const drain = '{"target": "web/a", "by": "ana", "why": "x"}';
    expect((await run('plan', '--set', `config/drains/x=${drain}`, '--api', api)).out).toContain('gets no new ones');
    const stranger = await run(...args, '--api', api, '--agent', 'lb2');
    expect(stranger.out).toContain('unknown (at ');
    expect(stranger.out).toContain(
      'AGENT lb2, compared with what the store holds (its own memory is on another machine)',
    );
  });
});
