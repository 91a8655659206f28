import { describe, expect, it } from 'vitest';
import { ByteWriter } from '../../../src/core/bytes.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { IPVS_CMD } from '../../../src/ipvs/attributes.ts';
import type { ActualDestination, ActualService } from '../../../src/ipvs/dataplane.ts';
import { KernelDataplane } from '../../../src/ipvs/kernel-dataplane.ts';
import { NLM_F_ACK } from '../../../src/ipvs/netlink/constants.ts';
import { fromHex } from '../../fakes/hex.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { acknowledgement, concatenated, done, FakeNetlink, netlinkMessage } from '../../fakes/netlink-kernel.ts';
import type { SeenMessage } from '../../fakes/netlink-kernel.ts';
import { CAPTURED_FAMILY_ID, CAPTURES, RESOLVE_FAMILY } from '../../vectors/ipvs-captures.ts';

const HEADER_BYTES = 16;

/** What ipvsadm said to a kernel, less the netlink header: a dump describes an entry by the same attributes. */
function captured(command: string): Uint8Array {
  const capture = CAPTURES.find((each) => each.command === command);
  return fromHex(capture?.sent[0] ?? '').slice(HEADER_BYTES);
}

const SERVICE = captured('-A -t 10.0.0.1:80 -s wlc');
const NAT_REAL = captured('-a -t 10.0.0.1:80 -r 10.1.0.1:8080 -m -w 5 -x 100 -y 50');
const GRE_REAL = captured('-a -t 10.0.0.1:80 -r 10.1.0.3:80 -i -w 2147483647 --tun-type gre --tun-csum');

/** The service with as many connections since it was made: IPVS_SVC_ATTR_STATS64 { IPVS_STATS_ATTR_CONNS }. */
function counted(connections: number): Uint8Array {
  const stats = new ByteWriter().u32le(0x000c_0010).u32le(0x0001_000c).u64le(BigInt(connections)).finish();
  const service = Uint8Array.from(SERVICE);
  const nested = new DataView(service.buffer);
  nested.setUint16(4, nested.getUint16(4, true) + stats.length, true);
  return concatenated(service, stats);
}

/** A real with as many active connections: IPVS_DEST_ATTR_ACTIVE_CONNS. */
function active(connections: number): Uint8Array {
  const nested = new DataView(NAT_REAL.buffer);
  const service = nested.getUint16(4, true);
  const real = Uint8Array.from(NAT_REAL);
  const at = 4 + service;
  new DataView(real.buffer).setUint16(at, nested.getUint16(at, true) + 8, true);
  return concatenated(real, new ByteWriter().u32le(0x0007_0008).u32le(connections).finish());
}

/** A kernel that holds one service, and reals that a test may change. */
function kernelWith(...reals: Uint8Array[]) {
  const services = [SERVICE];
  let refused: number | null = null;
  const refuse = (command: number | null): void => {
    refused = command;
  };
  const tell = (message: SeenMessage): Uint8Array[] => {
    if (message.type !== CAPTURED_FAMILY_ID) {
      return RESOLVE_FAMILY.received.map((hex) => {
        const bytes = fromHex(hex);
        new DataView(bytes.buffer).setUint32(8, message.sequence, true);
        return bytes;
      });
    }
    if (message.payload[0] === refused) return [acknowledgement(message, 2)];
    const entries = message.payload[0] === IPVS_CMD.getService ? services : reals;
    const parts = entries.map((entry) => netlinkMessage(CAPTURED_FAMILY_ID, 0x02, message.sequence, entry));
    return [concatenated(...parts), (message.flags & NLM_F_ACK) === 0 ? done(message) : acknowledgement(message)];
  };
  const kernel = new FakeNetlink((messages, socket) => {
    for (const message of messages) socket.deliver(...tell(message));
  });
  const deps = { open: kernel.open, clock: new ManualClock(), log: silentLog };
  const dataplane = new KernelDataplane({ ...deps, loadModule: () => Promise.resolve() });
  const read = async (): Promise<{ service: ActualService; reals: ActualDestination[] }> => {
    const state = await dataplane.read();
    if (!state.ok) throw state.error;
    const [service] = state.value.values();
    if (service === undefined) throw new Error('the service was not read');
    return { service, reals: [...service.destinations.values()] };
  };
  return { services, reals, read, refuse, readServices: dataplane.readServices.bind(dataplane) };
}

describe('a second reading', () => {
  it('gives the very same objects for what has not changed', async () => {
    const { read } = kernelWith(NAT_REAL, GRE_REAL);
    const first = await read();
    expect(first.reals.map(({ destination }) => destination.weight)).toEqual([5, 2_147_483_647]);
    expect((await read()).service).toBe(first.service);
  });

  it('counts on in the same objects', async () => {
    const { services, reals, read } = kernelWith(active(3), GRE_REAL);
    services[0] = counted(5);
    const first = await read();
    expect(first.reals.map(({ activity }) => activity.activeConnections)).toEqual([3, 0]);
    expect(first.service.stats.connections).toBe(5n);
    services[0] = counted(6);
    reals[0] = active(4);
    const second = await read();
    expect(second.service.destinations).toBe(first.service.destinations);
    expect(second.reals.map(({ activity }) => activity.activeConnections)).toEqual([4, 0]);
    expect(second.service.stats.connections).toBe(6n);
    expect(second.service.service).toBe(first.service.service);
    reals[0] = active(5);
    const third = await read();
    expect(third.service).toBe(second.service);
    expect(third.reals[0]?.activity.activeConnections).toBe(5);
  });

  it('tells of a service what it counted, even after one that failed on the way', async () => {
    const { services, reals, read, refuse } = kernelWith(NAT_REAL);
    services[0] = counted(5);
    await read();
    services[0] = counted(6);
    refuse(IPVS_CMD.getDestination);
    await expect(read()).rejects.toThrow('ENOENT');
    refuse(null);
    expect((await read()).service.stats.connections).toBe(6n);
    expect(reals.length).toBe(1);
  });

  it('reads anew what has', async () => {
    const { reals, read } = kernelWith(NAT_REAL, GRE_REAL);
    const first = await read();
    const edited = Uint8Array.from(NAT_REAL);
    // IPVS_DEST_ATTR_WEIGHT: nla_len 8, nla_type 4, and the weight.
    const at = Buffer.from(edited).indexOf(fromHex('0800040005000000'));
    edited[at + 4] = 6;
    reals[0] = edited;
    const second = await read();
    expect(second.reals.map(({ destination }) => destination.weight)).toEqual([6, 2_147_483_647]);
    expect(second.service).not.toBe(first.service);
    expect(second.reals[1]?.destination).toBe(first.reals[1]?.destination);
    expect(first.reals[0]?.destination.weight).toBe(5);
  });

  it('knows a real again whose attributes come in another order, and one that another moved', async () => {
    const { reals, read } = kernelWith(NAT_REAL);
    const first = await read();
    // IPVS_DEST_ATTR_FWD_METHOD and IPVS_DEST_ATTR_WEIGHT, in turn.
    const inOrder = '08000300000000000800040005000000';
    const turned = '08000400050000000800030000000000';
    const swapped = fromHex(Buffer.from(NAT_REAL).toString('hex').replace(inOrder, turned));
    expect(swapped).not.toEqual(NAT_REAL);
    reals.splice(0, 1, GRE_REAL, swapped);
    const second = await read();
    expect(second.reals[1]?.destination).toBe(first.reals[0]?.destination);
  });

  it('takes neither a real that went nor one that came for another', async () => {
    const { reals, read } = kernelWith(NAT_REAL, GRE_REAL);
    await read();
    reals.shift();
    expect((await read()).reals.map(({ destination }) => destination.address)).toEqual(['10.1.0.3']);
    reals.push(NAT_REAL);
    expect((await read()).reals.map(({ destination }) => destination.address)).toEqual(['10.1.0.3', '10.1.0.1']);
  });

  it('may be of some services only, and knows them again', async () => {
    const { reals, read, readServices } = kernelWith(NAT_REAL, GRE_REAL);
    const { service } = await read();
    const again = await readServices([service.service.match]);
    if (!again.ok) throw again.error;
    const [found] = again.value.values();
    expect(found?.service).toBe(service.service);
    expect(found?.destinations).toBe(service.destinations);
    reals.pop();
    const less = await readServices([service.service.match]);
    if (!less.ok) throw less.error;
    expect([...less.value.values()].map(({ destinations }) => [...destinations.keys()])).toEqual([['10.1.0.1|8080']]);
  });
});
