import { describe, expect, it } from 'vitest';
import { socketAddress } from '../../../src/bgp/native-socket.ts';
import { md5Signature } from '../../../src/bgp/socket-options.ts';
import { address } from '../../fakes/bgp-settings.ts';
import { hexOf } from '../../vectors/bgp/captures.ts';

/*
 * Made with Python 3.11 from the layouts of <netinet/in.h> and <linux/tcp.h> on a little-endian machine:
 * struct.pack('<128sBBHi80s', address, flags, prefixlen, keylen, ifindex, key).
 */

describe('structures for the kernel', () => {
  it('sockaddr_in and sockaddr_in6', () => {
    expect(hexOf(socketAddress(address('10.1.2.3'), 179))).toBe('020000b30a0102030000000000000000');
    expect(hexOf(socketAddress(address('fd00:5::2'), 1790))).toBe(
      '0a0006fe00000000fd00000500000000000000000000000200000000',
    );
  });

  it('tcp_md5sig', () => {
    const made = md5Signature(address('10.1.2.3'), 's3cret');
    const hex = made.ok ? hexOf(made.value) : '';
    expect(hex).toBe(
      '020000000a0102030000000000000000' +
        '00'.repeat(112) +
        '0000' +
        '0600' +
        '00000000' +
        '733363726574' +
        '00'.repeat(74),
    );
  });

  it.each([
    ['', 0],
    ['x'.repeat(81), 81],
  ])('refuses a key that the kernel would refuse', (password, length) => {
    expect(md5Signature(address('10.1.2.3'), password)).toEqual({
      ok: false,
      error: `the TCP-MD5 key has ${length} octets, 1 to 80 are possible`,
    });
  });
});
