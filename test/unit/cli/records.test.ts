import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import { err } from '../../../src/core/result.ts';
import { harness, seed } from './cli-harness.ts';

describe('get', () => {
  it('prints the record as it was written, with a line break at the end', async () => {
    const { store, run } = harness();
    store.put('config/vips/web', '{ "addresses":   ["203.0.113.10"] }');
    const plain = await run('get', 'config/vips/web');
    expect(plain).toEqual({ exitCode: 0, out: '{ "addresses":   ["203.0.113.10"] }\n', err: '' });
    expect(store.closed).toBe(true);
    store.put('config/vips/web', '{}\n');
    expect((await run('get', 'config/vips/web')).out).toBe('{}\n');
  });

  it('takes a path as the tools of the store show it', async () => {
    const { store, run } = harness();
    store.put('config/vips/web', '{}');
    expect((await run('get', '/vipkeeper/config/vips/web/')).out).toBe('{}\n');
  });

  it('shows revisions as strings, and a record that is not JSON as text', async () => {
    const { store, run } = harness();
    store.put('config/vips/web', '{"addresses": []}');
    const shown = await run('get', '--json', 'config/vips/web');
    expect(JSON.parse(shown.out)).toEqual({
      path: 'config/vips/web',
      created: '1',
      modified: '1',
      value: { addresses: [] },
    });
    store.put('config/vips/web', 'garbage');
    expect(JSON.parse((await run('get', '--json', 'config/vips/web')).out)).toMatchObject({
      modified: '2',
      text: 'garbage',
    });
  });

  it('fails for what is not there, and points from a folder to ls', async () => {
    const { store, run } = harness();
    seed(store);
    expect(await run('get', 'config/vips/nope')).toMatchObject({
      exitCode: 1,
      out: '',
      err: 'vipkeeper: STORE_NOT_FOUND: there is no record at config/vips/nope\n',
    });
    const folder = await run('get', 'config/services/web/reals');
    expect(folder.exitCode).toBe(1);
    expect(folder.err).toContain('vipkeeper ls config/services/web/reals');
  });

  it.each(['config//vips', '../etc/passwd', 'config/../secret', 'vips/web', ''])(
    'refuses the path %j',
    async (path) => {
      const outcome = await harness().run('get', path);
      expect(outcome.exitCode).toBe(2);
    },
  );
});

describe('ls', () => {
  it('shows one level, with a slash where there is more below', async () => {
    const { store, run } = harness();
    seed(store);
    expect((await run('ls')).out).toBe('config/checks/\nconfig/services/\nconfig/vips/\n');
    expect((await run('ls', 'config/services')).out).toBe('config/services/web/\n');
    expect((await run('ls', 'config/services/web')).out).toBe('config/services/web/\nconfig/services/web/reals/\n');
  });

  it('shows everything below on request', async () => {
    const { store, run } = harness();
    seed(store);
    expect((await run('ls', '-r', 'config/services/web/reals')).out).toBe(
      'config/services/web/reals/a\nconfig/services/web/reals/b\n',
    );
    const long = (await run('ls', '-r', '-l')).out.split('\n');
    expect(long[0]).toMatch(/^PATH +BYTES +BELOW +CREATED +MODIFIED$/);
    expect(long.find((line) => line.startsWith('config/services/web/ '))).toMatch(/ +2 +4 +4$/);
    const records = JSON.parse((await run('ls', '-r', '--json', 'config/checks')).out) as unknown;
    expect(records).toEqual([
      { path: 'config/checks/https-ok', created: '3', modified: '3', value: { type: 'https', path: '/healthz' } },
    ]);
  });

  it('fails where there is nothing', async () => {
    expect(await harness().run('ls', 'state')).toMatchObject({ exitCode: 1 });
  });
});

describe('set', () => {
  it('creates, changes, and leaves alone what is the same already', async () => {
    const { store, run } = harness();
    seed(store);
    const real = '{"address": "10.0.0.13"}';
    expect((await run('set', 'config/services/web/reals/c', real)).out).toBe('config/services/web/reals/c: created\n');
    expect(store.text('config/services/web/reals/c')).toBe(real);
    const changed = await run('set', 'config/services/web/reals/c', '{"address": "10.0.0.14"}');
    expect(changed).toEqual({ exitCode: 0, out: 'config/services/web/reals/c: changed\n', err: '' });
    const before = store.records.get('config/services/web/reals/c')?.modified;
    expect((await run('set', 'config/services/web/reals/c', '{"address": "10.0.0.14"}')).out).toContain('unchanged');
    expect(store.records.get('config/services/web/reals/c')?.modified).toBe(before);
  });

  it('takes the value from standard input and from a file', async () => {
    const { store, run, pipe } = harness();
    const vip = '{"addresses": ["192.0.2.1"]}\n';
    expect(await pipe(vip, 'set', 'config/vips/one', '-')).toMatchObject({ exitCode: 0 });
    expect(await pipe(vip.replace('2.1', '2.2'), 'set', 'config/vips/two')).toMatchObject({ exitCode: 0 });
    const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-cli-'));
    try {
      writeFileSync(join(folder, 'vip.json'), vip.replace('2.1', '2.3'));
      expect(await run('set', 'config/vips/three', `@${join(folder, 'vip.json')}`)).toMatchObject({ exitCode: 0 });
      expect(await run('set', 'config/vips/four', `@${join(folder, 'nope.json')}`)).toMatchObject({ exitCode: 1 });
    } finally {
      rmSync(folder, { recursive: true });
    }
    expect(store.text('config/vips/one')).toBe(vip);
    expect(store.text('config/vips/two')).toContain('192.0.2.2');
    expect(store.text('config/vips/three')).toContain('192.0.2.3');
    expect(await run('set', 'config/vips/five')).toMatchObject({ exitCode: 2 });
  });

  it.each([
    ['config/services/web', '{"vip": "web", "match": {"ports": ["443"]}, "schedular": "rr"}', '"scheduler"?'],
    ['config/vips/web', '{"addresses": ["010.1.1.1"]}', 'addresses[0]'],
    ['config/vips/web', '{"addresses": ["fe80::1%eth0"]}', 'zone id'],
    ['config/services/web/reals/a', '{"address": "10.0.0.11", "weight": -1}', 'weight'],
    ['config/checks/x', '{"type": "http", "interval": "2"}', 'interval'],
    ['config/checks/x', '{"type": "htpp"}', 'http'],
    ['config/vips/web', '{"addresses": [', 'strict JSON'],
    ['config/vips/web', '{"addresses": ["192.0.2.1"], "addresses": ["192.0.2.2"]}', 'twice'],
    ['config/vipz/web', '{"addresses": ["192.0.2.1"]}', '"vips"?'],
    ['config/vips/_web', '{"addresses": ["192.0.2.1"]}', 'reserved'],
    ['config/services/nope/reals/a', '{"address": "10.0.0.11"}', 'no service'],
    ['config/agents/lb1', '{"bgp": {"asn": 0}}', 'AS number'],
    ['config/agents/lb1', '{"dataplane": "iptables"}', 'ipvsadm'],
    ['config/agents/_default', '{"limits": {"maxDeleteShare": 3}}', '0 to 1'],
    ['config/drains/d', '{"target": "web/a"}', 'by'],
    ['config/approvals/latest', '{"by": "ana"}', '64 hexadecimal digits'],
  ])('refuses %s %s', async (path, value, hint) => {
    const { store, run } = harness();
    seed(store);
    const before = [...store.records];
    const outcome = await run('set', path, value);
    expect(outcome.exitCode).toBe(3);
    expect(outcome.err).toContain(path);
    expect(outcome.err).toContain(hint);
    expect(outcome.out).toBe('');
    expect([...store.records]).toEqual(before);
  });

  it.each([
    ['a service on a VIP that does not exist', 'config/services/x', { vip: 'wob', match: { ports: ['80'] } }, '"web"'],
    ['a service where another one is', 'config/services/x', { vip: 'web', match: { ports: ['443'] } }, 'service "web"'],
    ['a real with the target of another', 'config/services/web/reals/c', { address: '10.0.0.11' }, 'real "a"'],
    ['a real of the wrong family', 'config/services/web/reals/c', { address: '2001:db8::1' }, 'reals/c'],
    [
      'a service for other agents that conflicts there',
      'config/services/x',
      { vip: 'web', match: { ports: ['440-450'] }, agents: { pool: 'edge' } },
      'service "web"',
    ],
  ])('refuses %s', async (_what, path, value, hint) => {
    const { store, run } = harness();
    seed(store);
    const outcome = await run('set', path, JSON.stringify(value));
    expect(outcome.exitCode).toBe(3);
    expect(outcome.err).toContain(path);
    expect(outcome.err).toContain(hint);
  });

  it('lets services share a VIP and port where no agent has both', async () => {
    const { store, run } = harness();
    seed(store);
    for (const pool of ['edge', 'core']) {
      const value = JSON.stringify({ vip: 'web', match: { ports: ['80'] }, agents: { pool } });
      expect(await run('set', `config/services/${pool}`, value)).toMatchObject({ exitCode: 0, err: '' });
    }
    const clash = JSON.stringify({ vip: 'web', match: { ports: ['80'] }, agents: { pool: 'edge' } });
    expect(await run('set', 'config/services/second', clash)).toMatchObject({ exitCode: 3 });
    store.put('config/agents/lb7', { labels: { pool: 'core' } });
    const both = await run('set', 'config/agents/lb8', '{"labels": {"pool": "core", "zone": "a"}}');
    expect(both).toMatchObject({ exitCode: 0 });
  });

  it('gives advice without holding the edit back', async () => {
    const { store, run } = harness();
    seed(store);
    const drain = '{"target": "web/nobody", "by": "ana", "why": "a typing error"}';
    const outcome = await run('set', 'config/drains/d', drain);
    expect(outcome.exitCode).toBe(0);
    expect(outcome.err).toMatch(/^advice: config\/drains\/d: target: found "web\/nobody"/);
    expect(store.text('config/drains/d')).toBe(drain);
  });

  it('refuses what is too large or too deep', async () => {
    const { run } = harness();
    const large = JSON.stringify({ addresses: ['192.0.2.1'], _meta: { note: 'x'.repeat(70_000) } });
    expect(await run('set', 'config/vips/web', large)).toMatchObject({ exitCode: 3 });
    const deep = `{"addresses": ["192.0.2.1"], "_meta": {"n": ${'['.repeat(50)}${']'.repeat(50)}}}`;
    expect(await run('set', 'config/vips/web', deep)).toMatchObject({ exitCode: 3 });
    expect(await run('set', 'config/vips/web', '')).toMatchObject({ exitCode: 3 });
  });

  it('does not hold an edit back because of problems that were there before', async () => {
    const { store, run } = harness();
    seed(store);
    store.put('config/vips/broken', '{"addresses": []}');
    store.put('config/agents/lb9', { dataplane: 'iptables' });
    expect(await run('set', 'config/vips/other', '{"addresses": ["192.0.2.9"]}')).toMatchObject({ exitCode: 0 });
    expect(await run('set', 'config/vips/broken', '{"addresses": ["192.0.2.8"]}')).toMatchObject({ exitCode: 0 });
  });

  it('sees that a change of the defaults breaks another agent', async () => {
    const { store, run } = harness();
    store.put('config/agents/_default', { bgp: { holdTime: '9s', asn: 65_010 } });
    store.put('config/agents/lb1', { bgp: { routerId: '192.0.2.1' } });
    const outcome = await run('set', 'config/agents/_default', '{"bgp": {"holdTime": "9s"}}');
    expect(outcome.exitCode).toBe(3);
    expect(outcome.err).toContain('config/agents/lb1: bgp.asn');
  });

  it('accepts defaults that only become whole in each agent', async () => {
    const { store, run } = harness();
    expect(await run('set', 'config/agents/_default', '{"bgp": {"holdTime": "9s"}}')).toMatchObject({ exitCode: 0 });
    expect(await run('set', 'config/agents/lb1', '{"bgp": {"asn": 65010}}')).toMatchObject({ exitCode: 0 });
    expect(store.text('config/agents/lb1')).toBe('{"bgp": {"asn": 65010}}');
  });

  it('writes what is wrong when it is told to, and nothing in a dry run', async () => {
    const { store, run } = harness();
    expect(await run('set', '--no-validate', 'config/vips/web', 'garbage')).toMatchObject({ exitCode: 0 });
    expect(store.text('config/vips/web')).toBe('garbage');
    const dry = await run('set', '--dry-run', 'config/vips/new', '{"addresses": ["192.0.2.1"]}');
    expect(dry).toMatchObject({ exitCode: 0, out: 'config/vips/new: created (dry run: nothing was written)\n' });
    expect(store.text('config/vips/new')).toBeUndefined();
  });

  it('does not overwrite what somebody else wrote between reading and writing', async () => {
    const { store, run } = harness();
    seed(store);
    store.beforeWrite = () => {
      store.beforeWrite = () => undefined;
      store.put('config/vips/web', { addresses: ['192.0.2.77'] });
    };
    const outcome = await run('set', 'config/vips/web', '{"addresses": ["192.0.2.1"]}');
    expect(outcome.exitCode).toBe(5);
    expect(outcome.err).toContain('STORE_CONFLICT');
    expect(store.text('config/vips/web')).toContain('192.0.2.77');
  });

  it('holds an edit to the revision that it was made from', async () => {
    const { store, run } = harness();
    store.put('config/vips/web', { addresses: ['192.0.2.1'] });
    const value = '{"addresses": ["192.0.2.2"]}';
    expect(await run('set', '--expect', '7', 'config/vips/web', value)).toMatchObject({ exitCode: 5 });
    expect(await run('set', '--expect', '0', 'config/vips/web', value)).toMatchObject({ exitCode: 5 });
    expect(await run('set', '--expect', '1', 'config/vips/web', value)).toMatchObject({ exitCode: 0 });
    expect(await run('set', '--expect', '0', 'config/vips/new', value)).toMatchObject({ exitCode: 0 });
    expect(await run('set', '--expect', 'latest', 'config/vips/web', value)).toMatchObject({ exitCode: 2 });
  });

  it('leaves to agents what is theirs', async () => {
    expect(await harness().run('set', 'state/agents/lb1', '{}')).toMatchObject({ exitCode: 2 });
  });
});

describe('rm', () => {
  it('deletes a record', async () => {
    const { store, run } = harness();
    seed(store);
    expect(await run('rm', 'config/services/web/reals/b')).toEqual({
      exitCode: 0,
      out: 'config/services/web/reals/b: deleted\n',
      err: '',
    });
    expect(store.records.has('config/services/web/reals/b')).toBe(false);
  });

  it('asks before it deletes a service with its reals', async () => {
    const { store, run } = harness();
    seed(store);
    const refused = await run('rm', 'config/services/web');
    expect(refused).toMatchObject({ exitCode: 1 });
    expect(refused.err).toContain('2 records below it; --recursive');
    const dry = await run('rm', '-r', '--dry-run', 'config/services/web');
    expect(dry.out.split('\n').filter((line) => line.includes('dry run'))).toHaveLength(3);
    expect(store.records.has('config/services/web')).toBe(true);
    expect(await run('rm', '--recursive', 'config/services/web')).toMatchObject({ exitCode: 0 });
    expect([...store.records.keys()].filter((path) => path.startsWith('config/services/web'))).toEqual([]);
  });

  it('refuses to delete a check that a service refers to', async () => {
    const { store, run } = harness();
    seed(store);
    const refused = await run('rm', 'config/checks/https-ok');
    expect(refused.exitCode).toBe(3);
    expect(refused.err).toContain('config/services/web');
    expect(store.records.has('config/checks/https-ok')).toBe(true);
    expect(await run('rm', '--no-validate', 'config/checks/https-ok')).toMatchObject({ exitCode: 0 });
  });

  it('fails for what is not there, and for what belongs to agents', async () => {
    const { run } = harness();
    expect(await run('rm', 'config/vips/nope')).toMatchObject({ exitCode: 1 });
    expect(await run('rm', 'state/agents/lb1')).toMatchObject({ exitCode: 2 });
  });
});

describe('a store that fails', () => {
  it.each([
    ['STORE_UNREACHABLE', 4],
    ['STORE_AUTH_FAILED', 1],
    ['SECRET_UNREADABLE', 3],
  ] as const)('%s ends with %d', async (code, exitCode) => {
    const { run } = harness({ openStore: () => Promise.resolve(err(new CodedError(code, 'it is so'))) });
    expect(await run('get', 'config/vips/web')).toEqual({ exitCode, out: '', err: `vipkeeper: ${code}: it is so\n` });
  });
});
