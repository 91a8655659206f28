import { describe, expect, it } from 'vitest';
import { bgpSettings } from '../../../src/agent/policy/bgp-settings.ts';
import type { DesiredBgp, DesiredPeer } from '../../../src/agent/policy/desired-state.ts';
import { CodedError } from '../../../src/core/errors.ts';
import { err, ok } from '../../../src/core/result.ts';
import { address } from '../../fakes/bgp-settings.ts';

function peer(name: string, changes: Partial<DesiredPeer> = {}): DesiredPeer {
  return {
    name,
    address: address('10.1.0.1'),
    port: 1179,
    asn: 65_000,
    passwordReference: null,
    ttlSecurityHops: 1,
    ttl: null,
    localAddress: address('10.1.0.2'),
    nextHopIpv4: address('10.1.0.3'),
    nextHopIpv6: address('fd00::3'),
    holdTimeMs: 12_000,
    ...changes,
  };
}

function bgp(peers: readonly DesiredPeer[], changes: Partial<DesiredBgp> = {}): DesiredBgp {
  return {
    asn: 65_010,
    routerId: 'auto',
    holdTimeMs: 9_000,
    connectRetryMs: 2_000,
    gracefulRestartMs: 30_000,
    silenced: null,
    peers: Object.fromEntries(peers.map((each) => [each.name, each])),
    ...changes,
  };
}

const HOST = {
  routerId: address('10.1.0.2'),
  restarting: false,
  resolveSecret: (reference: string) =>
    reference === 'env:KEY' ? ok('s3cret') : err(new CodedError('SECRET_UNREADABLE', `${reference} cannot be read`)),
};

describe('the settings of the speaker', () => {
  it('are none without BGP', () => {
    expect(bgpSettings(null, HOST)).toEqual({ settings: null, failures: [] });
  });

  it('carry everything that the record says, with the secret resolved', () => {
    const outcome = bgpSettings(bgp([peer('tor1', { passwordReference: 'env:KEY' })]), { ...HOST, restarting: true });
    const { passwordReference: _, ...same } = peer('tor1');
    expect(outcome).toEqual({
      settings: {
        asn: 65_010,
        routerId: '10.1.0.2',
        gracefulRestartMs: 30_000,
        restarting: true,
        peers: [{ ...same, password: 's3cret', connectRetryMs: 2_000 }],
      },
      failures: [],
    });
  });

  it('prefer a router id of the record to the one of the host', () => {
    const { settings } = bgpSettings(bgp([], { routerId: address('1.1.1.1') }), { ...HOST, routerId: null });
    expect(settings?.routerId).toBe('1.1.1.1');
  });

  it('are none on a host without an address to be known by, and the failure says what to do', () => {
    const { settings, failures } = bgpSettings(bgp([peer('tor1')]), { ...HOST, routerId: null });
    expect(settings).toBeNull();
    expect(failures).toEqual([expect.stringMatching(/routerId.*set an address/)]);
  });

  it('leave out a peer whose password cannot be read, rather than talk to it without one', () => {
    const peers = [peer('tor1', { passwordReference: 'file:/nowhere' }), peer('tor2')];
    const { settings, failures } = bgpSettings(bgp(peers), HOST);
    expect(settings?.peers.map(({ name }) => name)).toEqual(['tor2']);
    expect(failures).toEqual(['peer tor1: file:/nowhere cannot be read']);
  });
});
