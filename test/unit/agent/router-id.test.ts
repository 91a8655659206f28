import type { NetworkInterfaceInfo } from 'node:os';
import { describe, expect, it } from 'vitest';
import { automaticRouterId } from '../../../src/agent/router-id.ts';

function ipv4(address: string, netmask = '255.255.255.0', internal = false): NetworkInterfaceInfo {
  return { family: 'IPv4', address, netmask, internal, mac: '', cidr: null };
}

const IPV6: NetworkInterfaceInfo = {
  family: 'IPv6',
  address: '2001:db8::1',
  netmask: 'ffff:ffff:ffff:ffff::',
  internal: false,
  scopeid: 0,
  mac: '',
  cidr: null,
};

describe('the automatic router id', () => {
  it('is the lowest IPv4 address, by number', () => {
    expect(automaticRouterId({ eth1: [ipv4('10.0.0.10')], eth0: [IPV6, ipv4('10.0.0.9')] })).toBe('10.0.0.9');
  });

  it('is none without an IPv4 address', () => {
    expect(automaticRouterId({ eth0: [IPV6], none: undefined })).toBeNull();
  });

  it('is never an address of the loopback interface, where VIPs live', () => {
    const lo = [ipv4('127.0.0.1', '255.0.0.0', true), ipv4('1.2.3.4', '255.255.255.255', true)];
    expect(automaticRouterId({ lo })).toBeNull();
    expect(automaticRouterId({ lo, eth0: [ipv4('192.168.1.1')] })).toBe('192.168.1.1');
  });

  it('is not a host address while there is another: a VIP on a dummy interface would change it with every restart', () => {
    const dummy0 = [ipv4('10.0.0.1', '255.255.255.255')];
    expect(automaticRouterId({ dummy0, eth0: [ipv4('192.168.1.1')] })).toBe('192.168.1.1');
    expect(automaticRouterId({ dummy0 })).toBe('10.0.0.1');
  });

  it('is never a link-local address, which no other host has to know', () => {
    expect(automaticRouterId({ usb0: [ipv4('169.254.3.1', '255.255.0.0')], eth0: [ipv4('192.168.1.1')] })).toBe(
      '192.168.1.1',
    );
    expect(automaticRouterId({ usb0: [ipv4('169.254.3.1', '255.255.0.0')] })).toBeNull();
  });
});
