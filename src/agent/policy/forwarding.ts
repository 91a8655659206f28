import type { Forwarding } from '../../ipvs/dataplane.ts';
import type { Forward } from '../../model/records/service.ts';
import type { FieldProblem } from '../../model/validate.ts';
import { finding, findingInWords } from './findings.ts';

export function forwardingOf(forward: Forward): Forwarding {
  if (typeof forward === 'string') return { method: forward };
  return { method: 'tunnel', type: forward.tunnel, port: forward.port ?? 0, checksum: forward.checksum };
}

/** What the kernel would refuse of a tunnel (IPVS_DEST_ATTR_TUN_* in include/uapi/linux/ip_vs.h). */
export function forwardingFaults(forwarding: Forwarding, field: string): FieldProblem[] {
  if (forwarding.method !== 'tunnel') return [];
  const { type, port, checksum } = forwarding;
  const faults: FieldProblem[] = [];
  if (type === 'gue' && port === 0) {
    faults.push(findingInWords(`${field}.port`, 'nothing', 'the UDP port of the decapsulator: a gue tunnel needs one'));
  }
  if (type !== 'gue' && port !== 0) {
    faults.push(finding(`${field}.port`, port, `no port: an ${type} tunnel has none`));
  }
  if (type === 'ipip' && checksum !== 'none') {
    faults.push(finding(`${field}.checksum`, checksum, '"none": an ipip tunnel has no checksum'));
  }
  if (type === 'gre' && checksum === 'remote') {
    faults.push(finding(`${field}.checksum`, checksum, '"none" or "full": remote checksum offload is for gue'));
  }
  return faults;
}

export function describeForwarding(forwarding: Forwarding): string {
  return forwarding.method === 'tunnel' ? `a ${forwarding.type} tunnel` : forwarding.method;
}
