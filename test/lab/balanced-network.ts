import { join } from 'node:path';
import type { Parts } from './parts.ts';
import { type Topology, createTopology } from './topology.ts';

const WEB = join(import.meta.dirname, 'web-real.mjs');

export type RealName = 'a' | 'b';
export const REAL_ADDRESSES: Readonly<Record<RealName, { readonly ipv4: string; readonly ipv6: string }>> = {
  a: { ipv4: '10.2.0.11', ipv6: 'fd00:2::11' },
  b: { ipv4: '10.2.0.12', ipv6: 'fd00:2::12' },
};

/** A client, a director `lb`, and two reals behind it whose way to everywhere it is: enough for NAT of both families. */
export function createBalancedNetwork(parts?: Parts): Promise<Topology> {
  const routes = ['default via 10.2.0.1', 'default via fd00:2::1'];
  const reals = Object.entries(REAL_ADDRESSES);
  const back = Object.fromEntries(reals.map(([name, { ipv4, ipv6 }]) => [name, [`${ipv4}/24`, `${ipv6}/64`]]));
  return createTopology(
    {
      nodes: {
        client: { routes: ['default via 10.1.0.1', 'default via fd00:1::1'] },
        lb: { router: true },
        a: { routes },
        b: { routes },
      },
      segments: {
        front: { client: ['10.1.0.2/24', 'fd00:1::2/64'], lb: ['10.1.0.1/24', 'fd00:1::1/64'] },
        back: { lb: ['10.2.0.1/24', 'fd00:2::1/64'], ...back },
      },
    },
    parts,
  );
}

/** Both reals answer HTTP on port 80 with their name. */
export async function startWebReals(net: Topology): Promise<void> {
  const servers = Object.keys(REAL_ADDRESSES).map(async (name) => {
    const web = await net.node(name).start('node', [WEB, name, '80']);
    await web.until('listens', () => web.log().includes('listening'), 60_000);
  });
  await Promise.all(servers);
}

/** Who answered `count` requests in turn to each URL, each on a connection of its own: name -> how often. */
export async function answersOf(
  net: Topology,
  urls: readonly string[],
  count: number,
): Promise<Record<string, number>> {
  const words = ['-sS', '-g', '--max-time', '30', '-H', 'Connection: close'];
  const text = await net
    .node('client')
    .run('curl', [...words, ...urls.flatMap((url) => Array<string>(count).fill(url))]);
  const tally: Record<string, number> = {};
  for (const name of text.trim().split('\n')) tally[name] = (tally[name] ?? 0) + 1;
  return tally;
}
