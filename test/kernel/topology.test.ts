import { join } from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { type Topology, createTopology } from '../lab/topology.ts';

const WEB = join(import.meta.dirname, '../lab/web-real.mjs');
const VIP = '203.0.113.10';

async function startWeb(net: Topology, ...names: readonly string[]): Promise<void> {
  await Promise.all(
    names.map(async (name) => {
      const web = await net.node(name).start('node', [WEB, name, '80']);
      await web.until('listens', () => web.log().includes('listening'));
    }),
  );
}

/** Answers to `count` requests, each on a connection of its own. */
async function answers(net: Topology, url: string, count: number): Promise<string[]> {
  const output = await net
    .node('client')
    .run('curl', ['-sS', '--max-time', '30', '-H', 'Connection: close', `${url}?[1-${count}]`]);
  return output.trim().split('\n').sort();
}

describe('a topology', () => {
  let net: Topology | undefined;
  afterEach(async () => {
    await net?.stop();
    net = undefined;
  });

  it('carries requests through a director that rewrites addresses, to both reals in turn', async () => {
    net = await createTopology({
      nodes: {
        client: { routes: [`${VIP}/32 via 10.1.0.1`] },
        lb: { router: true, addresses: [`${VIP}/32`] },
        a: { routes: ['default via 10.2.0.1'] },
        b: { routes: ['default via 10.2.0.1'] },
      },
      segments: {
        front: { client: '10.1.0.2/24', lb: '10.1.0.1/24' },
        back: { lb: '10.2.0.1/24', a: '10.2.0.11/24', b: '10.2.0.12/24' },
      },
    });
    await startWeb(net, 'a', 'b');
    await net.node('lb').run('ipvsadm', ['-R'], {
      input: [
        `-A -t ${VIP}:80 -s rr`,
        `-a -t ${VIP}:80 -r 10.2.0.11:80 -m -w 1`,
        `-a -t ${VIP}:80 -r 10.2.0.12:80 -m -w 1\n`,
      ].join('\n'),
    });
    expect(await answers(net, `http://${VIP}/`, 6)).toEqual(['a', 'a', 'a', 'b', 'b', 'b']);
    await net.node('b').setLink('back', 'down');
    await expect(net.node('client').run('curl', ['-sS', '--max-time', '1', 'http://10.2.0.12/'])).rejects.toThrow(
      /28|7/,
    );
  });

  it('carries requests by direct routing, of both families, past a router', async () => {
    const vip6 = '2001:db8:ffff::10';
    net = await createTopology({
      nodes: {
        client: { routes: ['default via 10.1.0.1', 'default via fd00:1::1'] },
        router: { router: true, routes: [`${VIP}/32 via 10.2.0.2`, `${vip6}/128 via fd00:2::2`] },
        lb: { addresses: [`${VIP}/32`, `${vip6}/128`], routes: ['default via 10.2.0.1', 'default via fd00:2::1'] },
        a: { routes: ['default via 10.2.0.1', 'default via fd00:2::1'] },
        b: { routes: ['default via 10.2.0.1', 'default via fd00:2::1'] },
      },
      segments: {
        wan: { client: ['10.1.0.2/24', 'fd00:1::2/64'], router: ['10.1.0.1/24', 'fd00:1::1/64'] },
        lan: {
          router: ['10.2.0.1/24', 'fd00:2::1/64'],
          lb: ['10.2.0.2/24', 'fd00:2::2/64'],
          a: ['10.2.0.11/24', 'fd00:2::11/64'],
          b: ['10.2.0.12/24', 'fd00:2::12/64'],
        },
      },
    });
    for (const name of ['a', 'b']) await net.node(name).takeDirect(`${VIP}/32`, `${vip6}/128`);
    await startWeb(net, 'a', 'b');
    await net.node('lb').run('ipvsadm', ['-R'], {
      input: [
        `-A -t ${VIP}:80 -s wrr`,
        `-a -t ${VIP}:80 -r 10.2.0.11:80 -g -w 3`,
        `-a -t ${VIP}:80 -r 10.2.0.12:80 -g -w 1`,
        `-A -t [${vip6}]:80 -s rr`,
        `-a -t [${vip6}]:80 -r [fd00:2::11]:80 -g -w 1`,
        `-a -t [${vip6}]:80 -r [fd00:2::12]:80 -g -w 1\n`,
      ].join('\n'),
    });
    expect(await answers(net, `http://${VIP}/`, 8)).toEqual(['a', 'a', 'a', 'a', 'a', 'a', 'b', 'b']);
    expect(await answers(net, `http://[${vip6}]/`, 4)).toEqual(['a', 'a', 'b', 'b']);
  });

  it('names what is wrong with a specification, and leaves nothing behind after a failed set-up', async () => {
    const broken = { nodes: { a: { routes: ['default via 10.9.9.9'] }, b: {} }, segments: { l: { a: [], b: [] } } };
    await expect(createTopology(broken)).rejects.toThrow(/Nexthop|unreachable/i);
    net = await createTopology({ nodes: { only: {} }, segments: {} });
    const left = await net.node('only').run('ip', ['netns', 'list']);
    expect(left.trim().split('\n')).toHaveLength(1);
  });
});
