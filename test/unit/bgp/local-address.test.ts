import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { chooseNextHop, type NextHopSources } from '../../../src/bgp/local-address.ts';
import { address } from '../../fakes/bgp-settings.ts';

function info(cidr: string): NetworkInterfaceInfo {
  const [text = ''] = cidr.split('/');
  const common = { address: text, netmask: '', mac: '02:00:00:00:00:01', internal: false, cidr };
  return text.includes(':') ? { ...common, family: 'IPv6', scopeid: 0 } : { ...common, family: 'IPv4' };
}

function sources(local: string, over: Partial<NextHopSources> = {}): NextHopSources {
  return {
    peer: { address: address('10.1.0.1'), nextHopIpv4: null, nextHopIpv6: null },
    localAddress: address(local),
    interfaces: {},
    isAnnounced: () => false,
    ...over,
  };
}

describe('choosing a next hop', () => {
  it('takes our end of the session for its own family', () => {
    expect(chooseNextHop('ipv4', sources('10.1.0.2'))).toEqual({ ok: true, value: '10.1.0.2' });
    expect(chooseNextHop('ipv6', sources('fd00::2'))).toEqual({ ok: true, value: 'fd00::2' });
  });

  it('takes the configured one before anything else', () => {
    const peer = { address: address('10.1.0.1'), nextHopIpv4: address('10.9.9.9'), nextHopIpv6: address('fd00::9') };
    expect(chooseNextHop('ipv4', sources('10.1.0.2', { peer }))).toEqual({ ok: true, value: '10.9.9.9' });
    expect(chooseNextHop('ipv6', sources('10.1.0.2', { peer }))).toEqual({ ok: true, value: 'fd00::9' });
  });

  it('looks on the interface of the session for the other family', () => {
    const interfaces = {
      eth0: [info('10.1.0.2/24'), info('fe80::1/64'), info('fd00::5/128'), info('fd00::2/64')],
      eth1: [info('fd00:1::2/64')],
    };
    expect(chooseNextHop('ipv6', sources('10.1.0.2', { interfaces }))).toEqual({ ok: true, value: 'fd00::2' });
  });

  it('falls back to a host-sized address, as DHCPv6 gives, but not to one that is announced', () => {
    const interfaces = { eth0: [info('10.1.0.2/24'), info('fd00::5/128'), info('fd00::6/128')] };
    const isAnnounced = (each: string): boolean => each === 'fd00::5';
    expect(chooseNextHop('ipv6', sources('10.1.0.2', { interfaces, isAnnounced }))).toEqual({
      ok: true,
      value: 'fd00::6',
    });
  });

  it('says so when the interface has nothing to offer', () => {
    const interfaces = { eth0: [info('10.1.0.2/24'), info('fe80::1/64')], lo: [info('::1/128')] };
    expect(chooseNextHop('ipv6', sources('10.1.0.2', { interfaces }))).toEqual({
      ok: false,
      error: 'no next hop for IPv6: the interface of 10.1.0.2 has no usable IPv6 address, and none is configured',
    });
  });

  it.each([
    ['127.0.0.2', 'is a loopback address'],
    ['0.0.0.1', 'is in 0.0.0.0/8'],
    ['224.0.0.1', 'is a multicast or reserved address'],
    ['255.255.255.255', 'is a multicast or reserved address'],
    ['169.254.1.1', 'is link-local'],
    ['::', 'is the unspecified or the loopback address'],
    ['::1', 'is the unspecified or the loopback address'],
    ['ff02::1', 'is a multicast address'],
    ['fe80::1', 'is link-local'],
    ['febf::1', 'is link-local'],
    ['10.1.0.1', "is the peer's own"],
  ])('never offers %s', (text, reason) => {
    const family = text.includes(':') ? 'ipv6' : 'ipv4';
    const result = chooseNextHop(family, sources(text));
    expect(result).toMatchObject({ ok: false });
    expect(result.ok ? '' : result.error).toContain(reason);
    const peer = { address: address('10.1.0.1'), nextHopIpv4: address(text), nextHopIpv6: address(text) };
    expect(chooseNextHop(family, sources(family === 'ipv4' ? '10.1.0.2' : 'fd00::2', { peer })).ok).toBe(false);
  });

  it('never offers an announced address, even if it is configured', () => {
    const peer = { address: address('10.1.0.1'), nextHopIpv4: address('203.0.113.1'), nextHopIpv6: null };
    const isAnnounced = (): boolean => true;
    expect(chooseNextHop('ipv4', sources('10.1.0.2', { peer, isAnnounced })).ok).toBe(false);
    expect(chooseNextHop('ipv4', sources('10.1.0.2', { isAnnounced })).ok).toBe(false);
  });

  it('refuses a configured one of the other family', () => {
    const peer = { address: address('10.1.0.1'), nextHopIpv4: address('fd00::1'), nextHopIpv6: null };
    const result = chooseNextHop('ipv4', sources('10.1.0.2', { peer }));
    expect(result.ok ? '' : result.error).toContain('is of the other family');
  });
});
