import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { NetlinkConntrack } from '../../src/ipvs/conntrack/netlink-conntrack.ts';
import { createDataplane } from '../../src/ipvs/create-dataplane.ts';
import type { Dataplane } from '../../src/ipvs/dataplane.ts';
import { NETLINK_NETFILTER } from '../../src/ipvs/netlink/constants.ts';
import { socketTransport } from '../../src/ipvs/netlink/socket-transport.ts';
import { addReal, addService, address, match, real, service } from '../contract/dataplane-samples.ts';
import { eventually } from '../lab/eventually.ts';
import type { LabProcess } from '../lab/process.ts';
import { createTopology, type Topology } from '../lab/topology.ts';

const run = promisify(execFile);
const PARTIES = join(import.meta.dirname, '../lab/udp-parties.mjs');
const VIP = '203.0.113.53';
const VIP6 = '2001:db8:53::53';
const DNS = match('udp', VIP, 53);
const A = real('10.2.0.11', 53);
const B = real('10.2.0.12', 53);
const withoutA = { kind: 'deleteDestination', match: DNS, address: A.address, port: A.port } as const;

/** The director is this network namespace, because the code under test runs here. */
async function dataCentre(): Promise<Topology> {
  const net = await createTopology({
    nodes: {
      client: { routes: ['default via 10.1.0.1', 'default via 2001:db8:1::1'] },
      director: {},
      a: { routes: ['default via 10.2.0.1', 'default via 2001:db8:2::1'] },
      b: { routes: ['default via 10.2.0.1', 'default via 2001:db8:2::1'] },
    },
    segments: {
      front: { client: ['10.1.0.2/24', '2001:db8:1::2/64'], director: [] },
      back: {
        director: [],
        a: ['10.2.0.11/24', '2001:db8:2::11/64'],
        b: ['10.2.0.12/24', '2001:db8:2::12/64'],
      },
    },
  });
  await net.node('director').script(`ip link set front netns ${process.pid}; ip link set back netns ${process.pid}`);
  const lines = [
    'address add 10.1.0.1/24 dev front',
    'address add 10.2.0.1/24 dev back',
    'address add 2001:db8:1::1/64 dev front nodad',
    'address add 2001:db8:2::1/64 dev back nodad',
    `address add ${VIP}/32 dev lo`,
    'link set front up',
    'link set back up',
  ];
  for (const line of lines) await run('ip', line.split(' '));
  return net;
}

function set(name: string, value: number): void {
  writeFileSync(`/proc/sys/${name.replaceAll('.', '/')}`, `${value}\n`);
}

describe('a UDP flow whose real is taken away', () => {
  let net: Topology;
  let dataplane: Dataplane;
  let conntrack: NetlinkConntrack;

  beforeEach(async () => {
    net = await dataCentre();
    for (const name of ['net.ipv4.ip_forward', 'net.ipv6.conf.all.forwarding', 'net.ipv4.vs.conntrack']) set(name, 1);
    // The kernel tracks connections only where a rule asks about them.
    for (const iptables of ['iptables-legacy', 'ip6tables-legacy']) {
      await run(iptables, '-A FORWARD -m conntrack --ctstate INVALID -j DROP'.split(' '));
    }
    for (const name of ['a', 'b']) {
      const party = await net.node(name).start('node', [PARTIES, 'real', name, '53']);
      await party.until('listens', () => party.log().includes('listening'));
    }
    await run('ipvsadm', ['--clear']);
    dataplane = createDataplane('ipvs', { clock: systemClock, log: silentLog });
    conntrack = new NetlinkConntrack({ open: socketTransport(NETLINK_NETFILTER, systemClock), clock: systemClock });
  });
  afterEach(async () => {
    await dataplane.close();
    await conntrack.close();
    for (const iptables of ['iptables-legacy', 'ip6tables-legacy']) {
      await run(iptables, ['-F']);
      await run(iptables, ['-t', 'nat', '-F']);
    }
    await run('ip', ['address', 'delete', `${VIP}/32`, 'dev', 'lo']);
    await run('ip', ['link', 'delete', 'front']);
    await run('ip', ['link', 'delete', 'back']);
    await net.stop();
  });

  function call(port: number, vip = VIP): Promise<LabProcess> {
    return net.node('client').start('node', [PARTIES, 'client', String(port), vip, '53']);
  }

  /** Waits until the client heard `answer` this often in a row. */
  function hears(client: LabProcess, answer: string, times = 3): Promise<unknown> {
    return eventually(`the client hears ${answer}`, () =>
      client
        .log()
        .trim()
        .endsWith(Array.from({ length: times }, () => answer).join('\n')),
    );
  }

  async function trackedReals(protocol = 'udp'): Promise<string[]> {
    const counts = await conntrack.count();
    if (!counts.ok) throw counts.error;
    return (counts.value ?? []).filter((each) => each.protocol === protocol).map((each) => each.real.address);
  }

  it('moves to another real, tracked or not, with expire_nodest_conn', async () => {
    set('net.ipv4.vs.expire_nodest_conn', 1);
    for (const [tracked, port] of [
      [1, 4000],
      [0, 4001],
    ] as const) {
      set('net.ipv4.vs.conntrack', tracked);
      await dataplane.apply([addService(service(DNS, { scheduler: 'rr' })), addReal(DNS, A)]);
      const client = await call(port);
      await hears(client, 'a');
      expect(await trackedReals()).toEqual(tracked === 1 ? [A.address] : []);
      const report = await dataplane.apply([addReal(DNS, B), withoutA]);
      expect(report.failed).toEqual([]);
      expect(await trackedReals()).not.toContain(A.address);
      await hears(client, 'b');
      await client.stop();
      await dataplane.apply([{ kind: 'deleteService', match: DNS }]);
      expect(await trackedReals()).toEqual([]);
    }
  });

  it('is dropped without expire_nodest_conn, whatever is forgotten: IPVS has a table of its own', async () => {
    set('net.ipv4.vs.expire_nodest_conn', 0);
    await dataplane.apply([addService(service(DNS, { scheduler: 'rr' })), addReal(DNS, A)]);
    const client = await call(4002);
    await hears(client, 'a');
    await dataplane.apply([addReal(DNS, B), withoutA]);
    expect(await trackedReals()).toEqual([]);
    await hears(client, 'nobody', 5);
  });

  it.each([
    ['IPv4', VIP, 'iptables-legacy', '10.2.0.11:53', '10.2.0.12:53', '10.2.0.11'],
    ['IPv6', VIP6, 'ip6tables-legacy', '[2001:db8:2::11]:53', '[2001:db8:2::12]:53', '2001:db8:2::11'],
  ])('moves when it is forgotten, where rules translate it: %s', async (_, vip, iptables, a, b, realA) => {
    const rule = (action: string, to: string) =>
      run(
        iptables,
        `-t nat ${action} PREROUTING -p udp -d ${vip} --dport 53 -j DNAT --to-destination ${to}`.split(' '),
      );
    await rule('-A', a);
    const client = await call(4003, vip);
    await hears(client, 'a');
    await rule('-D', a);
    await rule('-A', b);
    await hears(client, 'a');
    const target = { protocol: 'udp', service: { address: address(vip), port: 53 } } as const;
    const others = [
      { ...target, real: { address: address(realA), port: 54 } },
      { protocol: 'udp', service: { address: address(vip), port: 54 }, real: null },
      { ...target, protocol: 'tcp', real: { address: address(realA), port: 53 } },
    ] as const;
    expect(await conntrack.forget(others)).toEqual({ ok: true, value: 0 });
    const before = conntrack.counters;
    expect(await conntrack.forget([{ ...target, real: { address: address(realA), port: 53 } }])).toEqual({
      ok: true,
      value: 1,
    });
    expect(conntrack.counters.dumps - before.dumps).toBe(1);
    await hears(client, 'b');
  });
});
