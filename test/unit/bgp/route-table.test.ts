import { describe, expect, it } from 'vitest';
import { parseCommunity, parseLargeCommunity } from '../../../src/bgp/community.ts';
import type { Route } from '../../../src/bgp/port.ts';
import { type RouteDelta, RouteMemory } from '../../../src/bgp/route-delta.ts';
import { address, route, WholeTable } from '../../fakes/bgp-settings.ts';

describe('communities', () => {
  it.each([
    ['65000:100', 0xfde80064],
    ['0:0', 0],
    ['65535:65535', 0xffffffff],
    ['no-export', 0xffffff01],
    ['no-advertise', 0xffffff02],
    ['blackhole', 0xffff029a],
    ['graceful-shutdown', 0xffff0000],
  ])('%s is read', (text, value) => {
    expect(parseCommunity(text)).toBe(value);
  });

  it.each(['', ':', '1', '1:2:3', '65536:1', '1:65536', '01:1', '-1:1', '1: 2', '0x1:1', 'NO-EXPORT', 'toString'])(
    '"%s" is not one',
    (text) => {
      expect(parseCommunity(text)).toBeUndefined();
    },
  );

  it.each(['1:2', '1:2:3:4', '4294967296:1:1', '1:1:-1', '::', ''])('"%s" is not a large one', (text) => {
    expect(parseLargeCommunity(text)).toBeUndefined();
  });
});

describe('the table of wanted routes', () => {
  it('names what changed', () => {
    const table = new WholeTable();
    expect(table.replace([route('203.0.113.1'), route('203.0.113.2')])).toEqual(['203.0.113.1', '203.0.113.2']);
    expect(table.replace([route('203.0.113.2'), route('203.0.113.1')])).toEqual([]);
    expect(table.replace([route('203.0.113.1', { med: 1 })]).sort()).toEqual(['203.0.113.1', '203.0.113.2']);
    expect(table.replace([route('203.0.113.1', { med: 1, peers: ['a'] })])).toEqual(['203.0.113.1']);
    expect(table.replace([route('203.0.113.1', { med: 1, peers: ['a'] })])).toEqual([]);
  });

  it('does not mind the order of communities', () => {
    const table = new WholeTable();
    table.replace([route('203.0.113.1', { communities: ['65000:1', '65000:2'] })]);
    expect(table.replace([route('203.0.113.1', { communities: ['65000:2', '65000:1', '65000:1'] })])).toEqual([]);
  });

  it.each<[string, Partial<Route>, string]>([
    ['community', { communities: ['no-such'] }, 'community "no-such"'],
    ['large community', { largeCommunities: ['1:2'] }, 'community "1:2"'],
    ['MED', { med: -1 }, 'MED -1'],
    ['LOCAL_PREF', { localPref: 2 ** 32 }, 'LOCAL_PREF 4294967296'],
    ['prepend', { prepend: 255 }, 'prepend 255'],
    ['prepend', { prepend: 0.5 }, 'prepend 0.5'],
    ['number of communities', { communities: Array.from({ length: 129 }, (_, i) => `1:${i}`) }, 'too many communities'],
  ])('leaves out a route with an impossible %s and says so', (_, attributes, problem) => {
    const table = new WholeTable();
    expect(table.replace([route('203.0.113.1', attributes), route('203.0.113.2')])).toEqual(['203.0.113.2']);
    expect(table.problems).toEqual([`203.0.113.1 is not announced: ${problem}`]);
    // What was announced before must not stay with attributes that are no longer wanted.
    table.replace([route('203.0.113.1')]);
    expect(table.replace([route('203.0.113.1', attributes)])).toEqual(['203.0.113.1']);
    expect(table.get(address('203.0.113.1'))).toBeUndefined();
  });

  it('does not drown the status in problems', () => {
    const table = new WholeTable();
    table.replace(Array.from({ length: 200 }, (_, i) => route(`203.0.113.${i}`, { communities: ['x'] })));
    expect(table.problems).toHaveLength(21);
    expect(table.problems.at(-1)).toBe('and 180 more');
  });
});

describe('differences for the other thread', () => {
  const change = (before: readonly Route[], after: readonly Route[]): RouteDelta => {
    const memory = new RouteMemory();
    memory.change(before);
    return memory.change(after);
  };

  it('carry only what changed, routes of equal attributes together', () => {
    const before = [route('203.0.113.1'), route('203.0.113.2', { med: 1 }), route('203.0.113.3')];
    const after = [
      route('203.0.113.4', { med: 2 }),
      route('203.0.113.1'),
      route('203.0.113.5', { med: 3 }),
      route('203.0.113.2', { med: 2 }),
    ];
    const { removed, set } = change(before, after);
    expect(removed).toEqual(['203.0.113.3']);
    expect(set.map(({ attributes, addresses }) => [attributes.med, addresses])).toEqual([
      [2, ['203.0.113.4', '203.0.113.2']],
      [3, ['203.0.113.5']],
    ]);
    expect(set.every((group) => !('address' in group.attributes))).toBe(true);
  });

  it('start from nothing for a listener that knows nothing', () => {
    const memory = new RouteMemory();
    memory.change([route('203.0.113.1'), route('203.0.113.2')]);
    memory.change([route('203.0.113.2')]);
    expect(memory.whole()).toMatchObject({ removed: [], set: [{ addresses: ['203.0.113.2'] }] });
  });

  it('take the later of two routes with one address', () => {
    const { set } = change([], [route('203.0.113.1'), route('203.0.113.1', { med: 7 })]);
    expect(set).toMatchObject([{ attributes: { med: 7 }, addresses: ['203.0.113.1'] }]);
  });

  it.each<[string, Partial<Route>]>([
    ['communities', { communities: ['1:1'] }],
    ['largeCommunities', { largeCommunities: ['1:1:1'] }],
    ['med', { med: 0 }],
    ['prepend', { prepend: 1 }],
    ['localPref', { localPref: 1 }],
    ['peers', { peers: ['tor1'] }],
  ])('see a change of %s alone', (_, attributes) => {
    const plain = [route('203.0.113.1')];
    const changed = [route('203.0.113.1', attributes)];
    expect(change(plain, changed).set).toHaveLength(1);
    expect(change(changed, plain).set).toHaveLength(1);
    expect(change(changed, [route('203.0.113.1', structuredClone(attributes))]).set).toEqual([]);
  });
});
