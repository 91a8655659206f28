import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { isNoEffect } from '../../../src/agent/policy/effect.ts';
import type { Preview } from '../../../src/agent/policy/preview.ts';
import { baselineOf, noBaseline, preview } from '../../../src/agent/policy/preview.ts';
import { checkCatalog } from '../../../src/checks/decode.ts';
import { RecordDecoder } from '../../../src/model/decode.ts';
import { runs } from '../../fakes/property.ts';
import type { StoreContent } from '../../fakes/records.ts';
import { SHOP, creationOf, rawRecords } from '../../fakes/records.ts';

const decoder = new RecordDecoder(checkCatalog);
const NOW = 1_700_000_000_000;
const BGP = { asn: 65_010, peers: { tor: { address: '10.1.0.1', asn: 65_000 } } };
const WORLD: StoreContent = { 'agents/lb1': { bgp: BGP }, ...SHOP };

function change(before: StoreContent, after: StoreContent): Preview {
  const baseline = baselineOf(rawRecords(before), 'lb1', decoder, NOW);
  return preview({ agent: 'lb1', baseline, records: rawRecords(after, creationOf(before)), decoder, now: NOW });
}

function without(content: StoreContent, ...names: readonly string[]): StoreContent {
  return Object.fromEntries(Object.entries(content).filter(([name]) => !names.includes(name)));
}

describe('a preview', () => {
  it('of nothing is nothing', () => {
    const { effect, hold, ifApproved, problems } = change(WORLD, WORLD);
    expect(isNoEffect(effect)).toBe(true);
    expect([hold, ifApproved, problems]).toEqual([null, null, []]);
  });

  it('of a first configuration is all of it', () => {
    const found = preview({ agent: 'lb1', baseline: noBaseline, records: rawRecords(WORLD), decoder, now: NOW });
    expect(found.hold).toBeNull();
    expect(found.effect.services).toEqual([
      {
        service: 'web',
        kind: 'added',
        kernelServices: { before: 0, after: 1 },
        services: { added: 1, edited: 0, deleted: 0 },
        destinations: { added: 3, edited: 0, deleted: 0 },
        leaving: [],
        drained: [],
      },
    ]);
    expect(found.effect.routes).toMatchObject([{ vip: 'shop', address: '192.0.2.10', kind: 'announced' }]);
    expect(found.effect.addresses).toEqual([{ interface: 'lo', address: '192.0.2.10', kind: 'added' }]);
    expect(found.effect.peers).toEqual([{ peer: 'tor', kind: 'added' }]);
  });

  it('counts the expansion, real by real', () => {
    const edited = { vip: 'shop', match: { ports: ['80', '8000-8002'], protocols: ['tcp', 'udp'] }, checks: ['ok'] };
    const after = { ...without(WORLD, 'services/web/reals/c'), 'services/web': edited };
    const [web] = change(WORLD, after).effect.services;
    expect(web).toMatchObject({
      kind: 'changed',
      kernelServices: { before: 1, after: 8 },
      services: { added: 7, edited: 0, deleted: 0 },
      destinations: { added: 14, edited: 0, deleted: 1 },
      leaving: ['c'],
    });
  });

  it('tells a drain, by record or by state, from a real that leaves', () => {
    const drain = { target: 'web/b', by: 'ana', why: 'kernel' };
    const after = {
      ...WORLD,
      'services/web/reals/a': { address: '10.0.0.1', weight: 10, state: 'drain' },
      'drains/chg': drain,
    };
    expect(change(WORLD, after).effect.services).toMatchObject([
      { kind: 'changed', destinations: { added: 0, edited: 0, deleted: 2 }, leaving: [], drained: ['a', 'b'] },
    ]);
    const disabled = { ...WORLD, 'services/web/reals/a': { address: '10.0.0.1', weight: 10, state: 'disabled' } };
    expect(change(WORLD, disabled).effect.services).toMatchObject([{ leaving: ['a'], drained: [] }]);
  });

  it('sees a VIP withdrawn, with the reason, and announced anew when its attributes change', () => {
    const silenced = { addresses: ['192.0.2.10'], interface: 'lo', silenced: { by: 'ana', why: 'CHG-1' } };
    expect(change(WORLD, { ...WORLD, 'vips/shop': silenced }).effect).toMatchObject({
      services: [],
      addresses: [],
      routes: [{ vip: 'shop', address: '192.0.2.10', kind: 'withdrawn', why: 'silenced by ana: CHG-1' }],
    });
    const med = { addresses: ['192.0.2.10'], interface: 'lo', advertise: { med: 50 } };
    expect(change(WORLD, { ...WORLD, 'vips/shop': med }).effect.routes).toMatchObject([{ kind: 'announced anew' }]);
    const moved = { addresses: ['192.0.2.11'], interface: 'lo' };
    const { routes, addresses } = change(WORLD, { ...WORLD, 'vips/shop': moved }).effect;
    expect(routes.map(({ address, kind }) => `${address} ${kind}`)).toEqual([
      '192.0.2.11 announced',
      '192.0.2.10 withdrawn',
    ]);
    expect(addresses.map(({ address, kind }) => `${address} ${kind}`)).toEqual([
      '192.0.2.11 added',
      '192.0.2.10 removed',
    ]);
  });

  it('sees which BGP sessions an edit closes', () => {
    const peers = { ...BGP.peers, tor2: { address: '10.1.0.2', asn: 65_000 } };
    const more = { ...WORLD, 'agents/lb1': { bgp: { ...BGP, peers } } };
    expect(change(WORLD, more).effect.peers).toEqual([{ peer: 'tor2', kind: 'added' }]);
    const renumbered = { ...WORLD, 'agents/lb1': { bgp: { ...BGP, asn: 65_011 } } };
    expect(change(WORLD, renumbered).effect.peers).toEqual([{ peer: 'tor', kind: 'changed' }]);
    expect(change(more, WORLD).effect.peers).toEqual([{ peer: 'tor2', kind: 'removed' }]);
  });

  it('says what the guard would hold, what goes on meanwhile, and what an approval would let through', () => {
    const reals = Object.fromEntries(
      Array.from({ length: 10 }, (_, at) => [`services/web/reals/r${at}`, { address: `10.0.1.${at + 1}` }]),
    );
    const before = { ...WORLD, ...reals };
    const lost = Object.keys(reals).slice(0, 6);
    const after = { ...without(before, ...lost), 'services/web/reals/new': { address: '10.0.2.1' } };
    const { effect, hold, ifApproved, revision } = change(before, after);
    expect(hold).toMatchObject({
      revision,
      lostCount: 6,
      why: expect.stringContaining('6 of 13 reals would be lost') as string,
    });
    expect(effect.services).toMatchObject([{ destinations: { added: 1, edited: 0, deleted: 0 }, leaving: [] }]);
    expect(ifApproved?.services).toMatchObject([{ destinations: { added: 1, edited: 0, deleted: 6 } }]);
    const baseline = baselineOf(rawRecords(before), 'lb1', decoder, NOW);
    const approved = { ...after, [`approvals/${revision.replace('sha256:', '')}`]: { by: 'ana' } };
    const records = rawRecords(approved, creationOf(before));
    const passing = preview({ agent: 'lb1', baseline, records, decoder, now: NOW });
    expect([passing.hold, passing.ifApproved]).toEqual([null, null]);
    expect(passing.effect.services).toMatchObject([{ destinations: { deleted: 6 } }]);
  });

  it('does not mistake slow start for an edit', () => {
    const slow = { ...(WORLD['services/web'] as object), health: { slowStart: '30s' } };
    expect(isNoEffect(change(WORLD, { ...WORLD, 'services/web': slow }).effect)).toBe(true);
  });

  it('of a service that goes is that it goes, with its VIP', () => {
    const names = Object.keys(WORLD).filter((name) => name.startsWith('services/'));
    const { ifApproved, hold } = change(WORLD, without(WORLD, ...names));
    expect(hold).not.toBeNull();
    expect(ifApproved).toMatchObject({
      services: [
        { service: 'web', kind: 'deleted', kernelServices: { before: 1, after: 0 }, leaving: ['a', 'b', 'c'] },
      ],
      routes: [{ vip: 'shop', address: '192.0.2.10', kind: 'withdrawn' }],
      addresses: [{ address: '192.0.2.10', kind: 'removed' }],
    });
  });

  it('there and back again is opposite, whatever the weights and reals', () => {
    const reals = fc.dictionary(
      fc.constantFrom('a', 'b', 'c', 'd'),
      fc.record({ weight: fc.integer({ min: 1, max: 9 }), last: fc.integer({ min: 1, max: 9 }) }),
    );
    const contentOf = (all: Record<string, { weight: number; last: number }>): StoreContent => {
      const seen = new Set<number>();
      const entries = Object.entries(all).filter(([, { last }]) => !seen.has(last) && seen.add(last));
      const records = entries.map(([name, { weight, last }]): [string, unknown] => [
        `services/web/reals/${name}`,
        { address: `10.0.0.${last}`, weight },
      ]);
      const limits = { maxDeleteShare: 1 };
      const shop = without(SHOP, 'services/web/reals/a', 'services/web/reals/b', 'services/web/reals/c');
      return { 'agents/lb1': { bgp: BGP, limits }, ...shop, ...Object.fromEntries(records) };
    };
    const count = ({ effect }: Preview) => effect.services[0]?.destinations ?? { added: 0, edited: 0, deleted: 0 };
    fc.assert(
      fc.property(reals, reals, (one, other) => {
        const there = count(change(contentOf(one), contentOf(other)));
        const back = count(change(contentOf(other), contentOf(one)));
        expect(back).toEqual({ added: there.deleted, edited: there.edited, deleted: there.added });
      }),
      runs(100),
    );
  });
});
