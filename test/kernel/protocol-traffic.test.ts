import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane } from '../../src/ipvs/create-dataplane.ts';
import type { Dataplane } from '../../src/ipvs/dataplane.ts';
import type { StoreContent } from '../fakes/records.ts';
import { REAL_ADDRESSES, createBalancedNetwork } from '../lab/balanced-network.ts';
import { Director } from '../lab/director.ts';
import { eventually } from '../lab/eventually.ts';
import { enterNetworkNamespace } from '../lab/network-namespace.ts';
import { requireParts } from '../lab/parts.ts';
import type { Topology } from '../lab/topology.ts';

/* What HTTP does not show: associations of SCTP, and datagrams that are shared out one by one. */

const SCTP = join(import.meta.dirname, '../lab/sctp-parties.mjs');
const UDP = join(import.meta.dirname, '../lab/udp-parties.mjs');
const VIP = { ipv4: '203.0.113.10', ipv6: '2001:db8::10' };
const CLIENT = { ipv4: '10.1.0.2', ipv6: 'fd00:1::2' };
const FAMILIES = ['ipv4', 'ipv6'] as const;

let net: Topology;
let leave: () => void = () => undefined;
let dataplane: Dataplane;

beforeAll(async () => {
  net = await createBalancedNetwork(await requireParts(['iproute2', 'ipvsadm']));
  await net.node('lb').addAddress(`${VIP.ipv4}/32`);
  await net.node('lb').addAddress(`${VIP.ipv6}/128`);
  leave = enterNetworkNamespace(net.node('lb').namespace);
  dataplane = createDataplane('ipvs', { clock: systemClock, log: silentLog });
});
afterAll(async () => {
  await dataplane.close();
  leave();
  await net.stop();
});

async function startReals(
  args: (name: string, addresses: { ipv4: string; ipv6: string }) => string[][],
): Promise<void> {
  const starts = Object.entries(REAL_ADDRESSES).flatMap(([name, addresses]) => {
    return args(name, addresses).map(async (words) => {
      const real = await net.node(name).start('node', words);
      await real.until('listens', () => real.log().includes('listening'));
    });
  });
  await Promise.all(starts);
}

/** 3:1 by wrr, in both families. */
function records(service: object): StoreContent {
  const { a, b } = REAL_ADDRESSES;
  return {
    'vips/v': { addresses: [VIP.ipv4, VIP.ipv6] },
    'services/s': { vip: 'v', scheduler: 'wrr', ...service },
    'services/s/reals/a4': { address: a.ipv4, weight: 3 },
    'services/s/reals/b4': { address: b.ipv4, weight: 1 },
    'services/s/reals/a6': { address: a.ipv6, weight: 3 },
    'services/s/reals/b6': { address: b.ipv6, weight: 1 },
  };
}

const countsIn = (answers: readonly string[]) => ({
  a: answers.filter((each) => each === 'a').length,
  b: answers.filter((each) => each === 'b').length,
});

describe('SCTP', () => {
  beforeAll(() => startReals((name, { ipv4, ipv6 }) => [ipv4, ipv6].map((own) => [SCTP, 'real', name, own, '9000'])));

  it.each(FAMILIES)('associations are spread by weight and rewritten: %s', async (family) => {
    await new Director(dataplane).pass(records({ match: { ports: ['9000'], protocols: ['sctp'] } }));
    const words = [SCTP, 'client', CLIENT[family], VIP[family], '9000', '8'];
    const answers = await net.node('client').run('node', words);
    expect(countsIn(answers.trim().split('\n'))).toEqual({ a: 6, b: 2 });
  });
});

describe('one-packet scheduling', () => {
  beforeAll(() => startReals((name) => [[UDP, 'real', name, '5060']]));

  it.each(FAMILIES)(
    'shares out datagrams of one client port by weight, and only while it is set: %s',
    async (family) => {
      const director = new Director(dataplane);
      const match = { ports: ['5060'], protocols: ['udp'] };
      await director.pass(records({ match, onePacket: true }));
      const client = await net.node('client').start('node', [UDP, 'client', '4060', VIP[family], '5060']);
      const answers = () =>
        client
          .log()
          .trim()
          .split('\n')
          .filter((each) => each !== 'nobody');
      await eventually('answers to a dozen datagrams', () => answers().length > 12);
      expect(countsIn(answers().slice(0, 12))).toEqual({ a: 9, b: 3 });

      const { ops } = await director.pass(records({ match }));
      expect(ops.map(({ kind }) => kind)).toEqual(['editService', 'editService']);
      const before = answers().length;
      await eventually('answers to more of them', () => answers().length > before + 10);
      // The first two may have been under way.
      expect(new Set(answers().slice(before + 2)).size).toBe(1);
      await client.stop();
    },
  );

  it('keeps the datagrams of one SIP call together, whichever client port they come from', async () => {
    const match = { ports: ['5060'], protocols: ['udp'] };
    const persistence = { timeout: '60s', engine: 'sip' };
    await new Director(dataplane).pass(records({ match, scheduler: 'rr', onePacket: true, persistence }));
    const answersTo = async (call: string, port: number): Promise<string> => {
      const invitation = `INVITE sip:b@example.net SIP/2.0\r\nCall-ID: ${call}\r\n\r\n`;
      const client = await net
        .node('client')
        .start('node', [UDP, 'client', String(port), VIP.ipv4, '5060', invitation]);
      const answers = () =>
        client
          .log()
          .trim()
          .split('\n')
          .filter((each) => /^[ab]$/.test(each));
      await eventually('answers', () => answers().length > 3);
      const all = new Set(answers());
      await client.stop();
      return [...all].join(' and ');
    };
    const [one, other] = [await answersTo('one', 4061), await answersTo('two', 4062)];
    expect([one, other].toSorted()).toEqual(['a', 'b']);
    expect([await answersTo('two', 4063), await answersTo('one', 4064)]).toEqual([other, one]);
  });
});
