import { createSocket } from 'node:dgram';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { ok } from '../../src/core/result.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { NftPacketMarks } from '../../src/ipvs/nftables/marks.ts';
import { nftCommand } from '../../src/ipvs/nftables/nft-command.ts';
import type { PacketMark } from '../../src/ipvs/packet-marks.ts';
import type { DataplaneOp, ServiceMatch } from '../../src/ipvs/dataplane.ts';
import {
  addReal,
  address,
  addService,
  deleteReal,
  editReal,
  fwmark,
  match,
  real,
  service,
} from '../contract/dataplane-samples.ts';
import { eventually } from '../lab/eventually.ts';
import { address6Of, addressOf, Director } from './director.ts';

const VIP = '203.0.113.10';
const WEB = match('tcp', VIP, 80);
const WEB6 = match('tcp', 'fd00:ff::10', 80);
const DNS = match('udp', VIP, 53);
const A = addressOf('a');
const B = addressOf('b');

let director: Director;

/** A service with `a` and `b`, 3:1 unless said otherwise. */
function balanced(of: ServiceMatch, fields: object = {}, weights: readonly [number, number] = [3, 1]): DataplaneOp[] {
  const [a, b] = of.family === 'ipv4' ? [A, B] : [address6Of('a'), address6Of('b')];
  const port = of.kind === 'address' ? of.port : 0;
  return [
    addService(service(of, { scheduler: 'wrr', ...fields })),
    addReal(of, real(a, port, { weight: weights[0] })),
    addReal(of, real(b, port, { weight: weights[1] })),
  ];
}

describe('traffic through rules of nf_tables', () => {
  beforeAll(async () => {
    director = await Director.start();
  });
  afterAll(() => director.stop());
  beforeEach(() => director.run('director', ['ip', 'address', 'add', `${VIP}/32`, 'dev', 'lo']));
  afterEach(async () => {
    await director.run('director', ['ip', 'address', 'delete', `${VIP}/32`, 'dev', 'lo']);
    await director.nft('flush ruleset');
  });

  it('is spread by weight, and counted', async () => {
    await director.apply(...balanced(WEB));
    expect(await director.answers(`http://${VIP}/`, 40)).toEqual({ a: 30, b: 10 });
    const activity = await director.activity(WEB);
    expect([activity[`${A}|80`]?.begun, activity[`${B}|80`]?.begun]).toEqual([30, 10]);
  });

  it('is spread over IPv6 as well', async () => {
    await director.apply(...balanced(WEB6));
    expect(await director.answers('http://[fd00:ff::10]/', 12)).toEqual({ a: 9, b: 3 });
  });

  it('is forwarded when the director itself is the client', async () => {
    await director.apply(...balanced(WEB, { scheduler: 'rr' }));
    expect(await director.answers(`http://${VIP}/`, 10, 'director')).toEqual({ a: 5, b: 5 });
  });

  it('is chosen by a firewall mark', async () => {
    await director.nft(
      'add table inet operator',
      'add chain inet operator marks { type filter hook prerouting priority mangle; }',
      `add rule inet operator marks ip daddr ${VIP} tcp dport 80 meta mark set 7`,
    );
    await director.apply(...balanced(fwmark(7, 'ipv4')));
    expect(await director.answers(`http://${VIP}/`, 8)).toEqual({ a: 6, b: 2 });
    const activity = await director.activity(fwmark(7, 'ipv4'));
    expect(activity[`${A}|0`]?.begun).toBe(6);
  });

  it('is chosen by marks that we set ourselves, which foreign tables and a second setting leave alone', async () => {
    await director.nft('add table inet operator', 'add chain inet operator mine');
    const marks = new NftPacketMarks({ run: nftCommand(systemClock) });
    const ports = [{ first: 80, last: 90 }];
    const wanted: PacketMark[] = [
      { fwmark: 7, address: address(VIP), protocol: 'tcp', ports },
      { fwmark: 7, address: address('fd00:ff::10'), protocol: 'tcp', ports: [...ports, { first: 443, last: 443 }] },
      { fwmark: 9, address: address('fd00:ff::10'), protocol: 'udp', ports: [] },
    ];
    expect(await marks.apply(wanted, new Set())).toEqual(ok(true));
    const before = await director.run('director', ['nft', '-a', 'list', 'ruleset']);
    expect(await marks.apply(wanted, new Set())).toEqual(ok(false));
    expect(await director.run('director', ['nft', '-a', 'list', 'ruleset'])).toBe(before);
    await director.apply(...balanced(fwmark(7, 'ipv4')), ...balanced(fwmark(7, 'ipv6'), {}, [1, 3]));
    expect(await director.answers(`http://${VIP}/`, 8)).toEqual({ a: 6, b: 2 });
    expect(await director.answers('http://[fd00:ff::10]/', 8)).toEqual({ a: 2, b: 6 });
    expect(await director.answers(`http://${VIP}/`, 4, 'director')).toEqual({ a: 3, b: 1 });
    await director.nft('flush chain inet vipkeeper-marks prerouting');
    expect(await marks.apply(wanted, new Set())).toEqual(ok(true));
    expect(await marks.apply([], new Set())).toEqual(ok(true));
    const left = await director.run('director', ['nft', 'list', 'tables']);
    expect(left.trim().split('\n').toSorted()).toEqual(['table inet operator', 'table inet vipkeeper']);
  });

  it('stays with its real while persistence lasts, and by the network that the mask says', async () => {
    await director.apply(...balanced(WEB, { persistence: { timeoutSeconds: 60, prefixLength: 24 } }, [1, 1]));
    const first = await director.answers(`http://${VIP}/`, 10);
    expect(Object.values(first)).toEqual([10]);
    const [stayed = ''] = Object.keys(first);
    await director.run('client', ['ip', 'address', 'add', '10.1.0.77/24', 'dev', 'eth0']);
    const words = ['curl', '-sS', '--interface', '10.1.0.77', `http://${VIP}/`, `http://${VIP}/`];
    expect((await director.run('client', words)).trim().split('\n')).toEqual([stayed, stayed]);
    // Its real takes nobody any more: the clients go elsewhere, and stay there when it is back.
    const [from, to] = stayed === 'a' ? [A, 'b'] : [B, 'a'];
    await director.apply(editReal(WEB, real(from, 80, { weight: 0 })));
    expect(await director.answers(`http://${VIP}/`, 4)).toEqual({ [to]: 4 });
    await director.apply(editReal(WEB, real(from, 80, { weight: 1 })));
    expect(await director.answers(`http://${VIP}/`, 4)).toEqual({ [to]: 4 });
  });

  it('goes on through a real of weight 0, which gets no new connections, until it ends by itself', async () => {
    await director.apply(...balanced(WEB, {}, [1, 0]));
    const download = director.run('client', ['curl', '-sS', `http://${VIP}/drip?ms=3000&chunks=10`]);
    await eventually('the download runs', async () => (await director.activity(WEB))[`${A}|80`]?.active === 1);
    await director.apply(editReal(WEB, real(A, 80, { weight: 0 })), editReal(WEB, real(B, 80, { weight: 1 })));
    expect(await director.answers(`http://${VIP}/`, 6)).toEqual({ b: 6 });
    expect((await director.activity(WEB))[`${A}|80`]?.active).toBe(1);
    expect((await download).trim().split('\n')).toEqual(Array<string>(10).fill('a'));
    await eventually('its end is seen', async () => (await director.activity(WEB))[`${A}|80`]?.active === 0);
  });

  it('leaves a real that is removed', async () => {
    await director.apply(...balanced(WEB));
    await director.apply(deleteReal(WEB, A, 80));
    expect(await director.answers(`http://${VIP}/`, 6)).toEqual({ b: 6 });
    expect(await director.run('director', ['nft', 'list', 'ruleset'])).not.toContain(A);
  });

  it('moves a UDP flow off a real that is removed, although the client keeps its port', async () => {
    await director.apply(...balanced(DNS, {}, [1, 0]));
    const client = createSocket('udp4');
    const ask = async (): Promise<string> => {
      const answered = once(client, 'message', { signal: AbortSignal.timeout(30_000) });
      client.send('who?', 53, VIP);
      const [answer] = (await answered) as [Buffer];
      return answer.toString();
    };
    expect([await ask(), await ask()]).toEqual(['a', 'a']);
    await director.apply(editReal(DNS, real(B, 53)), editReal(DNS, real(A, 53, { weight: 0 })));
    expect(await ask()).toBe('a');
    await director.apply(deleteReal(DNS, A, 53));
    expect(await ask()).toBe('b');
    client.close();
  });

  it('does not fall through to what listens on the director when no real is left', async () => {
    const own = createServer((_, response) => response.end('director\n')).listen(80, VIP);
    await once(own, 'listening');
    expect(await director.answers(`http://${VIP}/`, 1)).toEqual({ director: 1 });
    await director.apply(...balanced(WEB, {}, [0, 0]));
    await expect(director.run('client', ['curl', '-sS', '--max-time', '1', `http://${VIP}/`])).rejects.toThrow(
      'timed out',
    );
    own.close();
  });

  it('needs a host that forwards, and says so where it does not', async () => {
    await director.apply(...balanced(WEB), ...balanced(WEB6));
    expect(await director.dataplane.hindrances?.()).toEqual([]);
    await director.run('director', ['sh', '-c', 'echo 0 >/proc/sys/net/ipv4/ip_forward']);
    expect(await director.dataplane.hindrances?.()).toEqual([expect.stringContaining('net.ipv4.ip_forward is 0')]);
    await director.run('director', ['sh', '-c', 'echo 1 >/proc/sys/net/ipv4/ip_forward']);
  });
});
