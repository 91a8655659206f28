import type { InterfaceAddresses } from '../ipvs/addresses.ts';
import type { Dataplane } from '../ipvs/dataplane.ts';
import type { PacketMarks } from '../ipvs/packet-marks.ts';
import type { DesiredAgent } from './policy/desired-state.ts';

/** The two ports to the host, opened together: a dry run leaves the interfaces alone as well. */
export interface KernelPorts {
  readonly dataplane: Dataplane;
  readonly addresses: InterfaceAddresses;
  readonly marks: PacketMarks;
}

export type OpenKernel = (kind: DesiredAgent['dataplane']) => Promise<KernelPorts>;
