import { describe, expect, it } from 'vitest';
import { SHOP, build, desiredOf, realIn, serviceIn } from '../../fakes/records.ts';
import type { StoreContent } from '../../fakes/records.ts';

describe('what the records mean', () => {
  it('resolves what reals inherit from their service', () => {
    const desired = desiredOf({
      ...SHOP,
      'services/web': { vip: 'shop', match: { ports: ['80'] }, checks: ['ok'], forward: { tunnel: 'gue', port: 6080 } },
      'services/web/reals/b': { address: '10.0.0.2', forward: 'direct', checks: [] },
    });
    const gue = { method: 'tunnel', type: 'gue', port: 6080, checksum: 'none' };
    expect(realIn(desired, 'web', 'a')).toMatchObject({ forwarding: gue, checks: ['ok'], port: null, weight: 10 });
    expect(realIn(desired, 'web', 'b')).toMatchObject({ forwarding: { method: 'direct' }, checks: [], weight: 1 });
    expect(Object.keys(desired.checks)).toEqual(['ok']);
  });

  it('is plain data: it survives the last-known-good file unchanged', () => {
    const desired = desiredOf({
      ...SHOP,
      'drains/d': { target: 'web/a', by: 'ana', why: 'x', until: '2026-12-01T10:00:00Z' },
    });
    expect(JSON.parse(JSON.stringify(desired))).toEqual(desired);
    expect(desired.drains['d']).toMatchObject({ until: Date.UTC(2026, 11, 1, 10), onExpiry: 'undrain' });
  });

  it('reads names that objects have by themselves as names', () => {
    const { desired, problems } = build({
      'vips/constructor': { addresses: ['192.0.2.10'] },
      'services/toString': { vip: 'constructor', match: { ports: ['80'] }, quorum: { reals: 1 } },
      'services/toString/reals/valueOf': { address: '10.0.0.1' },
      'services/hasOwnProperty': { vip: 'nothing', match: { ports: ['81'] } },
      'agents/lb1': { overrides: { toString: { reals: { valueOf: { weight: 7 } } } } },
    });
    expect(realIn(desired, 'toString', 'valueOf').weight).toBe(7);
    expect(problems.map(({ path }) => path)).toEqual(['config/services/hasOwnProperty']);
  });

  it('joins ports that touch or overlap', () => {
    const ports = ['8005-8010', '443', '8000-8007', '444', '443'];
    const desired = desiredOf({ ...SHOP, 'services/web': { vip: 'shop', match: { ports } } });
    expect(serviceIn(desired, 'web').match).toEqual({
      kind: 'ports',
      ports: [
        { first: 443, last: 444 },
        { first: 8000, last: 8010 },
      ],
      protocols: ['tcp'],
    });
  });
});

describe('labels, overrides and settings of the agent', () => {
  const pools: StoreContent = {
    ...SHOP,
    'services/web': { vip: 'shop', match: { ports: ['80'] }, agents: { pool: 'edge', zone: 'a' } },
    'agents/_default': { labels: { pool: 'edge' }, drainTimeout: '1m' },
    'agents/lb1': { labels: { zone: 'a' } },
  };

  it('selects the services whose labels the agent has, all of them', () => {
    expect(Object.keys(desiredOf(pools).services)).toEqual(['web']);
    expect(Object.keys(build(pools, { agent: 'lb2' }).desired.services)).toEqual([]);
    expect(Object.keys(build(pools, { agent: 'lb2' }).desired.vips)).toEqual([]);
  });

  it('lets two services of disjoint pools share what only one can have on one agent', () => {
    const shared = {
      ...pools,
      'services/other': { vip: 'shop', match: { ports: ['80'] }, agents: { pool: 'core' } },
      'services/other/reals/a': { address: '10.0.0.9' },
    };
    expect(build(shared).problems).toEqual([]);
  });

  it('overrides state and weight, and says which override names nothing', () => {
    const { desired, problems } = build({
      ...SHOP,
      'agents/lb1': {
        overrides: { web: { state: 'drain', reals: { a: { weight: 0, state: 'disabled' }, aa: {} } }, wbe: {} },
      },
    });
    expect(serviceIn(desired, 'web').state).toBe('drain');
    expect(realIn(desired, 'web', 'a')).toMatchObject({ weight: 0, state: 'disabled' });
    expect(problems.map(({ path, field, allowed, effect }) => ({ path, field, allowed, effect }))).toEqual([
      {
        path: 'config/agents/lb1',
        field: 'overrides.web.reals.aa',
        allowed: 'the name of a real, such as "a"',
        effect: 'in force',
      },
      {
        path: 'config/agents/lb1',
        field: 'overrides.wbe',
        allowed: 'the name of a service, such as "web"',
        effect: 'in force',
      },
    ]);
  });
});

describe('records that cannot stand beside others', () => {
  it('keeps the last good version of a service, with the reals of now', () => {
    const before = desiredOf(SHOP);
    const { desired, problems } = build(
      {
        ...SHOP,
        'services/web': { vip: 'shpo', match: { ports: ['443'] }, checks: ['ok'] },
        'services/web/reals/d': { address: '10.0.0.4', weight: 10 },
      },
      { previous: before },
    );
    expect(serviceIn(desired, 'web').match).toEqual(serviceIn(before, 'web').match);
    expect(Object.keys(serviceIn(desired, 'web').reals).sort()).toEqual(['a', 'b', 'c', 'd']);
    expect(problems).toEqual([
      {
        path: 'config/services/web',
        field: 'vip',
        found: '"shpo"',
        allowed: 'the name of a VIP record, such as "shop"',
        effect: 'last good version stays',
      },
    ]);
  });

  it('leaves out what was never good, and touches nothing else', () => {
    const { desired, problems } = build({
      ...SHOP,
      'services/api': { vip: 'shop', match: { ports: ['81'] }, checks: ['okk'] },
      'services/api/reals/a': { address: '10.0.0.1' },
    });
    expect(Object.keys(desired.services)).toEqual(['web']);
    expect(serviceIn(desired, 'web')).toEqual(serviceIn(desiredOf(SHOP), 'web'));
    expect(problems).toMatchObject([
      { path: 'config/services/api', field: 'checks[0]', found: '"okk"', effect: 'ignored' },
    ]);
  });

  it('gives a kernel service to the record that was created first, whatever the order', () => {
    const rivals: StoreContent = {
      'vips/shop': { addresses: ['192.0.2.10'] },
      'services/a': { vip: 'shop', match: { ports: ['80'] } },
      'services/b': { vip: 'shop', match: { ports: ['70-90'] } },
    };
    const byName = build(rivals, { created: { 'services/a': 5, 'services/b': 5 } });
    expect(Object.keys(byName.desired.services)).toEqual(['a']);
    expect(byName.problems).toMatchObject([
      {
        path: 'config/services/b',
        field: 'match',
        found: 'tcp 192.0.2.10 80, which service "a" has',
        effect: 'ignored',
      },
    ]);
    const byAge = build(rivals, { created: { 'services/a': 10, 'services/b': 9 } });
    expect(Object.keys(byAge.desired.services)).toEqual(['b']);
  });

  it('lets a disabled service claim nothing', () => {
    const { desired, problems } = build({
      'vips/shop': { addresses: ['192.0.2.10'] },
      'services/old': { vip: 'shop', match: { ports: ['80'] }, state: 'disabled' },
      'services/new': { vip: 'shop', match: { ports: ['80'] } },
    });
    expect(problems).toEqual([]);
    expect(Object.keys(desired.services).sort()).toEqual(['new', 'old']);
  });

  it('keeps a loser of a conflict where it was, less what the winner has now', () => {
    const content = {
      'vips/shop': { addresses: ['192.0.2.10'] },
      'services/a': { vip: 'shop', match: { ports: ['80'] } },
      'services/b': { vip: 'shop', match: { ports: ['81', '443'] } },
    };
    const before = build(content).desired;
    const moved = { ...content, 'services/a': { vip: 'shop', match: { ports: ['81'] } } };
    const { desired, problems } = build(moved, { previous: before });
    expect(Object.keys(desired.services)).toEqual(['a', 'b']);
    expect(problems).toMatchObject([{ path: 'config/services/b', effect: 'last good version stays' }]);
  });

  it('gives an address to the VIP that was created first', () => {
    const { desired, problems } = build({
      'vips/one': { addresses: ['192.0.2.10', '2001:db8::1'] },
      'vips/two': { addresses: ['2001:0DB8:0::1'] },
      'services/a': { vip: 'one', match: { ports: ['80'] } },
      'services/b': { vip: 'two', match: { ports: ['81'] } },
    });
    expect(Object.keys(desired.vips)).toEqual(['one']);
    expect(problems).toMatchObject([
      { path: 'config/vips/two', field: 'addresses[0]', found: '"2001:db8::1"', effect: 'ignored' },
      { path: 'config/services/b', field: 'vip', found: '"two", which cannot be used', effect: 'ignored' },
    ]);
  });

  it('gives a target to the real that was created first, also where the port is only implied', () => {
    const { desired, problems } = build({
      ...SHOP,
      'services/web/reals/twin': { address: '10.0.0.1', port: 80 },
      'services/web/reals/other': { address: '10.0.0.1', port: 8080 },
    });
    expect(Object.keys(serviceIn(desired, 'web').reals)).toEqual(['a', 'b', 'c', 'other']);
    expect(problems).toMatchObject([
      {
        path: 'config/services/web/reals/twin',
        field: 'address',
        found: '10.0.0.1 port 80, which real "a" has',
        effect: 'ignored',
      },
    ]);
  });

  it('keeps a real that no longer fits as it was', () => {
    const nat = { ...SHOP, 'services/web/reals/a': { address: '10.0.0.1', port: 8080, weight: 10 } };
    const before = desiredOf(nat);
    const direct = { ...nat, 'services/web': { vip: 'shop', match: { ports: ['80'] }, forward: 'direct' } };
    const { desired, problems } = build(direct, { previous: before });
    expect(realIn(desired, 'web', 'a')).toMatchObject({ port: 8080, forwarding: { method: 'nat' } });
    expect(realIn(desired, 'web', 'b')).toMatchObject({ forwarding: { method: 'direct' } });
    expect(problems).toMatchObject([
      { path: 'config/services/web/reals/a', field: 'port', found: '8080', effect: 'last good version stays' },
    ]);
  });

  it('keeps the definition of a check that a service which stays refers to', () => {
    const before = desiredOf(SHOP);
    const { 'checks/ok': _, ...without } = SHOP;
    const { desired, problems } = build(without, { previous: before });
    expect(desired.checks).toEqual(before.checks);
    expect(problems).toEqual([]);
  });
});

describe('drains', () => {
  it('are advised about when they name nothing', () => {
    const drain = (target: string) => ({ target, by: 'ana', why: 'test' });
    const { desired, problems } = build({
      ...SHOP,
      'drains/1': drain('web/a'),
      'drains/2': drain('web/d'),
      'drains/3': drain('wbe'),
      'drains/4': drain('vip:shop'),
      'drains/5': drain('vip:shpo'),
      'drains/6': drain('agent:anything'),
    });
    expect(Object.keys(desired.drains)).toHaveLength(6);
    expect(problems.map(({ path, effect }) => `${path} ${effect}`)).toEqual([
      'config/drains/2 in force',
      'config/drains/3 in force',
      'config/drains/5 in force',
    ]);
  });
});
