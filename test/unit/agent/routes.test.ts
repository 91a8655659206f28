import { describe, expect, it } from 'vitest';
import type { Desired, DesiredVip } from '../../../src/agent/policy/desired-state.ts';
import { routesFor } from '../../../src/agent/policy/routes.ts';
import type { Applied } from '../../../src/agent/policy/routes.ts';
import type { VerdictState } from '../../../src/checks/port.ts';
import type { IpAddress } from '../../../src/model/address.ts';
import { configuration, ports, real, service, vip } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';
import { kernelState } from '../../fakes/model-kernel.ts';

const a = real('a', '10.0.0.1');
const b = real('b', '10.0.0.2');
const shop = (fields: Partial<DesiredVip['advertise']> = {}, rest: Partial<DesiredVip> = {}): DesiredVip => {
  const base = vip('shop', ['192.0.2.10'], rest);
  return { ...base, advertise: { ...base.advertise, ...fields } };
};

/** Two services on one VIP: web on 80 with real a, api on 81 with real b. */
function two(fields: Partial<DesiredVip['advertise']> = {}, rest: Partial<DesiredVip> = {}): Desired {
  return configuration([service('web', [a]), service('api', [b], { match: ports(81) })], {
    vips: [shop(fields, rest)],
  });
}

function decide(desired: Desired, states: Record<string, VerdictState>, applied: Applied | null = null) {
  const { routes, vips } = routesFor(desired, new Decisions().decide(desired, states), applied);
  return { routes: routes.map(({ address }) => address), ...vips.get('shop') };
}

const BOTH = { '10.0.0.1': 'up', '10.0.0.2': 'up' } as const;
const ONE = { '10.0.0.1': 'up', '10.0.0.2': 'down' } as const;
const NONE = { '10.0.0.1': 'down', '10.0.0.2': 'down' } as const;

describe('which routes are announced', () => {
  it.each([
    ['any', BOTH, true, 'service api holds its quorum'],
    ['any', ONE, true, 'service web holds its quorum'],
    ['any', NONE, false, 'service api: its quorum is lost (0 reals are up; gained at 1)'],
    ['all', BOTH, true, 'all of its services hold their quorum'],
    ['all', ONE, false, 'service api: its quorum is lost (0 reals are up; gained at 1)'],
    ['always', NONE, true, 'always announced, as its record says'],
    ['never', BOTH, false, 'never announced, as its record says'],
  ] as const)('%s of two services, of which %j are up: %s', (when, states, advertised, reason) => {
    expect(decide(two({ when }), states)).toMatchObject({
      advertised,
      reason,
      routes: advertised ? ['192.0.2.10'] : [],
    });
  });

  it('a disabled service has no say, a drained one says no', () => {
    const disabled = configuration(
      [service('web', [a]), service('api', [b], { match: ports(81), state: 'disabled' })],
      {
        vips: [shop({ when: 'all' })],
      },
    );
    expect(decide(disabled, BOTH).advertised).toBe(true);
    const drained = configuration([service('web', [a], { state: 'drain' })], { vips: [shop()] });
    expect(decide(drained, BOTH)).toMatchObject({ advertised: false, reason: 'service web: drained by its record' });
    const nothing = configuration([service('web', [a], { state: 'disabled' })], { vips: [shop()] });
    expect(decide(nothing, BOTH)).toMatchObject({ advertised: false, reason: 'no service is on it' });
  });

  it('a silenced VIP is withdrawn, and so is everything of an agent without BGP', () => {
    const silenced = { by: 'ana', why: 'CHG-1' };
    expect(decide(two({ when: 'always' }, { silenced }), BOTH)).toMatchObject({
      advertised: false,
      reason: 'silenced by ana: CHG-1',
    });
    const desired = two({ when: 'always' });
    expect(decide({ ...desired, agent: { ...desired.agent, bgp: null } }, BOTH)).toMatchObject({
      routes: [],
      reason: 'this agent has no BGP',
    });
  });

  it('carries the attributes of the VIP, and the peers that may hear of it', () => {
    const desired = two({
      communities: ['65000:100'],
      largeCommunities: ['65000:1:2'],
      med: 50,
      localPref: 200,
      prepend: 2,
    });
    const { routes } = routesFor(desired, new Decisions().decide(desired, BOTH), null);
    expect(routes).toEqual([
      {
        address: '192.0.2.10',
        communities: ['65000:100'],
        largeCommunities: ['65000:1:2'],
        med: 50,
        localPref: 200,
        prepend: 2,
        peers: null,
      },
    ]);
  });

  it('is told to no peer that this agent does not have', () => {
    const desired = two({ peers: ['tor1'] });
    expect(decide(desired, BOTH)).toMatchObject({
      advertised: false,
      reason: 'none of its peers (tor1) is a peer of this agent',
    });
    const peers = { tor1: {} as never };
    const { bgp } = desired.agent;
    const known = { ...desired, agent: { ...desired.agent, bgp: bgp === null ? null : { ...bgp, peers } } };
    expect(routesFor(known, new Decisions().decide(known, BOTH), null).routes).toMatchObject([{ peers: ['tor1'] }]);
  });
});

describe('only what is in force is announced', () => {
  const WEB = { 'tcp|192.0.2.10|80': { '10.0.0.1|80': 10 } };
  const address = { interface: 'lo', address: '192.0.2.10' as IpAddress, prefixLength: 32, marked: true };
  const desired = configuration([service('web', [a])], { vips: [shop()] });

  it.each([
    ['all of it', WEB, [address], true, 'service web holds its quorum'],
    ['the service is not in the kernel', {}, [address], false, 'service web: tcp 192.0.2.10 80 is not in force'],
    [
      'no real has a weight',
      { 'tcp|192.0.2.10|80': { '10.0.0.1|80': 0 } },
      [address],
      false,
      'service web: tcp 192.0.2.10 80 is not in force',
    ],
    ['the address is on no interface', WEB, [], false, '192.0.2.10 is not on lo'],
    ['the address is on another interface', WEB, [{ ...address, interface: 'eth0' }], false, '192.0.2.10 is not on lo'],
  ])('%s', (_name, weights, addresses, advertised, reason) => {
    expect(decide(desired, BOTH, { services: kernelState(weights), addresses })).toMatchObject({ advertised, reason });
  });

  it('asks for no address that is not our business', () => {
    const elsewhere = configuration([service('web', [a])], { vips: [shop({}, { interface: null })] });
    expect(decide(elsewhere, BOTH, { services: kernelState(WEB), addresses: [] }).advertised).toBe(true);
  });

  it('judges each address for itself', () => {
    const dual = configuration([service('web', [a])], { vips: [vip('shop', ['192.0.2.10', '2001:db8::10'])] });
    const { vips, routes } = routesFor(dual, new Decisions().decide(dual, BOTH), null);
    expect(routes.map((route) => route.address)).toEqual(['192.0.2.10']);
    expect(vips.get('shop')).toMatchObject({
      advertised: true,
      reason: 'service web holds its quorum; not all of it: service web: tcp 2001:db8::10 80 is not in force',
    });
  });

  it('knows the addresses of a mark by their family', () => {
    const match = { kind: 'fwmark', fwmark: 7, families: ['ipv4'] } as const;
    const unchecked = real('a', '10.0.0.1', { checks: [] });
    const marked = configuration([service('web', [unchecked], { match })], {
      vips: [vip('shop', ['192.0.2.10', '2001:db8::10'])],
    });
    const { vips } = routesFor(marked, new Decisions().decide(marked, BOTH), null);
    expect(vips.get('shop')?.addresses).toMatchObject([
      { address: '192.0.2.10', advertised: true },
      { address: '2001:db8::10', advertised: false, reason: 'no service is on it' },
    ]);
  });
});
