import type { InterfaceAddresses } from '../ipvs/addresses.ts';
import type { NeighborAnnouncer } from '../ipvs/announce/neighbor-announcer.ts';
import type { Dataplane } from '../ipvs/dataplane.ts';
import type { PacketMarks } from '../ipvs/packet-marks.ts';
import type { DesiredAgent } from './policy/desired-state.ts';

/** The ports to the host, opened together: a dry run leaves interfaces and neighbours alone as well. */
export interface KernelPorts {
  readonly dataplane: Dataplane;
  readonly addresses: InterfaceAddresses;
  readonly neighbors: NeighborAnnouncer;
  readonly marks: PacketMarks;
}

export type OpenKernel = (kind: DesiredAgent['dataplane']) => Promise<KernelPorts>;

/** Packet marks hold nothing open. */
export async function closeKernel({ dataplane, addresses, neighbors }: KernelPorts): Promise<void> {
  await dataplane.close();
  await addresses.close();
  await neighbors.close();
}
