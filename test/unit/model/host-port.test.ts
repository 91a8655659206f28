import { describe, expect, it } from 'vitest';
import { isHostPort } from '../../../src/model/host-port.ts';

describe('a host with or without a port', () => {
  it.each(['zk1', 'zk1:2181', 'zk-1.example.net:65535', '10.0.0.1', '10.0.0.1:1', '[2001:db8::1]', '[::1]:2379'])(
    '%s is one',
    (text) => {
      expect(isHostPort(text)).toBe(true);
    },
  );

  it.each([
    ...['', ':2181', 'zk1:', 'zk1:0', 'zk1:65536', 'zk1:99999', 'zk1:2181x', 'zk1:2181\n', 'a b', '-a', 'a.'],
    ...[
      '8370',
      '10.0.1',
      '10.0.0.256',
      '010.0.0.1:1',
      'zk.1',
      '::1',
      '2001:db8::1',
      '[10.0.0.1]',
      '[::g]',
      '[1::2::3]',
    ],
  ])('%j is none', (text) => {
    expect(isHostPort(text)).toBe(false);
  });
});
