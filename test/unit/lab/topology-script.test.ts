import { describe, expect, it } from 'vitest';
import { namespacesOf, setUpScript } from '../../lab/topology-script.ts';

describe('the script that builds a topology', () => {
  it('joins two members by a cable, and more by a switch in a namespace of its own', () => {
    const spec = {
      nodes: { a: {}, b: {}, c: {} },
      segments: { wire: { a: '10.0.0.1/24', b: '10.0.0.2/24' }, lan: { a: '10.1.0.1/24', b: [], c: ['fd00::3/64'] } },
    };
    expect(namespacesOf(spec, 'p')).toEqual(['p-a', 'p-b', 'p-c', 'p-switch-lan']);
    const script = setUpScript(spec, 'p');
    expect(script).toContain('link add name wire netns p-a type veth peer name wire netns p-b\n');
    expect(script).toContain('link add name lan netns p-c type veth peer name c netns p-switch-lan\n');
    expect(script).toContain('address add fd00::3/64 dev lan nodad\n');
  });

  it('gives routes by their family, after the addresses that they lean on', () => {
    const lines = setUpScript(
      {
        nodes: { a: { routes: ['default via 10.0.0.2', 'default via fd00::2'] }, b: { router: true } },
        segments: { wire: { a: ['10.0.0.1/24', 'fd00::1/64'], b: [] } },
      },
      'p',
    ).split('\n');
    expect(lines).toContain('route add default via fd00::2');
    expect(lines).toContain('echo 1 >/proc/sys/net/ipv4/ip_forward');
    const up = lines.indexOf('link set dev wire up');
    expect(lines.indexOf('route add default via 10.0.0.2')).toBeGreaterThan(up);
  });

  it.each([
    [{ nodes: { a: {} }, segments: { wire: { a: [], b: [] } } }, 'no node is called b'],
    [{ nodes: { a: {} }, segments: { wire: { a: [] } } }, 'needs two members'],
    [{ nodes: { 'a; reboot': {} }, segments: {} }, 'a name is'],
    [{ nodes: { a: {}, b: {} }, segments: { 'much-too-long-name': { a: [], b: [] } } }, 'longer than 15'],
  ])('refuses %j', (spec, message) => {
    expect(() => setUpScript(spec, 'p')).toThrow(message);
  });
});
