import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { newCounters } from '../../src/agent/counters.ts';
import { JournalFile } from '../../src/agent/journal-file.ts';
import { KernelDriver } from '../../src/agent/kernel-driver.ts';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createKernelPorts, createNeighborAnnouncer } from '../../src/ipvs/create-dataplane.ts';
import { errnoOf } from '../../src/ipvs/kernel-refusal.ts';
import { noPacketMarks } from '../../src/ipvs/packet-marks.ts';
import { address } from '../contract/dataplane-samples.ts';
import { configuration, real, service, vip } from '../fakes/configurations.ts';
import { Decisions } from '../fakes/decisions.ts';
import { ManualClock } from '../fakes/manual-clock.ts';
import { tempDir } from '../fakes/temp-dir.ts';
import { eventually } from '../lab/eventually.ts';
import { enterNetworkNamespace } from '../lab/network-namespace.ts';
import { createTopology, type NetNode, type Topology } from '../lab/topology.ts';

const VIP = '10.1.0.100';
const VIP6 = '2001:db8:1::100';
const NOBODY = 65_534;
const deps = { clock: systemClock, log: silentLog };

let net: Topology;
let leave: () => void;

/** A link with a client, the director that had the VIP, and the one that gets it, where the code under test runs. */
beforeAll(async () => {
  net = await createTopology({
    nodes: { client: {}, old: {}, next: {} },
    segments: {
      front: {
        client: ['10.1.0.2/24', '2001:db8:1::2/64'],
        old: ['10.1.0.3/24', '2001:db8:1::3/64', `${VIP}/32`, `${VIP6}/128`],
        next: ['10.1.0.4/24', '2001:db8:1::4/64'],
      },
    },
  });
  // A kernel takes multicast of IPv6 only when it has noticed its link's carrier, up to a second later.
  const multicast = ['-6', 'route', 'show', 'table', 'local', 'type', 'multicast', 'dev', 'front'];
  await eventually('the client hears all nodes', async () =>
    (await net.node('client').run('ip', multicast)).includes('ff00::/8'),
  );
  leave = enterNetworkNamespace(net.node('next').namespace);
});

afterAll(async () => {
  leave();
  await net.stop();
});

async function hardwareAddress(node: NetNode): Promise<string> {
  const [link] = JSON.parse(await node.run('ip', ['-j', 'link', 'show', 'dev', 'front'])) as { address: string }[];
  return link?.address ?? '';
}

/** The hardware address that the client would send packets for the address to. */
async function clientSendsTo(text: string): Promise<string | undefined> {
  const shown = await net.node('client').run('ip', ['-j', 'neigh', 'show', text, 'dev', 'front']);
  const [entry] = JSON.parse(shown) as { lladdr?: string }[];
  return entry?.lladdr;
}

async function clientKnows(mac: string): Promise<boolean> {
  return (await clientSendsTo(VIP)) === mac && (await clientSendsTo(VIP6)) === mac;
}

describe('a VIP that moves to this director', () => {
  it('is known to be here by the neighbours at once, in both families, and told of again', async () => {
    const [client, old, next] = [net.node('client'), net.node('old'), net.node('next')];
    const [oldMac, nextMac] = [await hardwareAddress(old), await hardwareAddress(next)];
    for (const host of [VIP, `[${VIP6}]`]) {
      // Refused, but the client has had to ask where the address is.
      await expect(client.run('curl', ['-sS', '--max-time', '30', `http://${host}/`])).rejects.toThrow(/refused|7/);
    }
    await old.script(`ip address del ${VIP}/32 dev front; ip address del ${VIP6}/128 dev front`);
    expect([await clientSendsTo(VIP), await clientSendsTo(VIP6)]).toEqual([oldMac, oldMac]);

    const clock = new ManualClock();
    const driver = new KernelDriver({
      open: (kind) => Promise.resolve({ ...createKernelPorts(kind, deps), marks: noPacketMarks }),
      journalFile: new JournalFile(tempDir(), deps),
      counters: newCounters(),
      clock,
      log: silentLog,
    });
    const vips = [vip('shop', [VIP, VIP6], { interface: 'front' })];
    const desired = configuration([service('web', [real('a', '10.0.0.1')])], { vips });
    await driver.use('ipvs');
    await driver.refresh(0);
    expect(await driver.program(new Decisions().decide(desired), 60_000)).toBe(true);
    expect(driver.report().failures).toEqual([]);
    await eventually('the client sends to the new director', () => clientKnows(nextMac));

    // As if the first announcement had been lost.
    const lines = [VIP, VIP6].map((each) => `ip neigh replace ${each} lladdr ${oldMac} dev front nud stale`);
    await client.script(lines.join('\n'));
    expect([await clientSendsTo(VIP), await clientSendsTo(VIP6)]).toEqual([oldMac, oldMac]);
    clock.advance(2_000);
    await eventually('the client is told again', () => clientKnows(nextMac));
    await driver.close();
  });
});

describe('an announcement', () => {
  const announced = async (...interfaces: readonly string[]): Promise<(string | null)[]> => {
    const neighbors = createNeighborAnnouncer('ipvs', deps);
    const held = interfaces.map((name) => ({ interface: name, address: address('192.0.2.10') }));
    const outcomes = await neighbors.announce(held);
    await neighbors.close();
    return outcomes.map((each) => (each.ok ? each.value : errnoOf(each.error)));
  };

  it('is made on links with neighbours that are up, and says by name why not', async () => {
    await net.node('next').script(
      `ip link add name spare type dummy; ip link set spare up
       ip link add name va type veth peer name vb; ip link set va up`,
    );
    expect(await announced('front', 'lo', 'spare', 'va', 'nosuch0')).toEqual([
      ...['sent', 'noNeighbors', 'noNeighbors', 'ENETDOWN', 'ENODEV'],
    ]);
  });

  it('needs CAP_NET_RAW, and says so', async () => {
    const neighbors = createNeighborAnnouncer('ipvs', deps);
    // Another effective user than root has no capabilities (capabilities(7)).
    process.seteuid?.(NOBODY);
    const [outcome] = await neighbors.announce([{ interface: 'front', address: address(VIP) }]);
    process.seteuid?.(0);
    expect(outcome?.ok === false ? outcome.error.message : '').toContain('CAP_NET_RAW');
    await neighbors.close();
  });
});
