import { formatEndpoint } from '../model/address.ts';
import { matchOf } from './dataplane.ts';
import type { DataplaneOp, ServiceMatch } from './dataplane.ts';
import { errnoMeaning } from './netlink/errno.ts';

/** "tcp 192.0.2.1:80" or "fwmark 7 (ipv6)". */
export function describeMatch(match: ServiceMatch): string {
  if (match.kind === 'fwmark') return `fwmark ${match.fwmark} (${match.family})`;
  return `${match.protocol} ${formatEndpoint(match.address, match.port)}`;
}

/** "add real 10.0.0.1:8080 to tcp 192.0.2.1:80". */
export function describeOp(op: DataplaneOp): string {
  const service = describeMatch(matchOf(op));
  switch (op.kind) {
    case 'addService':
      return `add service ${service} (${op.service.scheduler})`;
    case 'editService':
      return `edit service ${service} (${op.service.scheduler})`;
    case 'deleteService':
      return `delete service ${service}`;
    case 'addDestination':
      return `add real ${formatEndpoint(op.destination.address, op.destination.port)} to ${service}`;
    case 'editDestination':
      return `edit real ${formatEndpoint(op.destination.address, op.destination.port)} of ${service}`;
    case 'deleteDestination':
      return `delete real ${formatEndpoint(op.address, op.port)} of ${service}`;
  }
}

/** What an operator can do about a refusal, where the operation says more than the errno alone. */
export function adviceFor(op: DataplaneOp, errno: string): string {
  switch (errno) {
    case 'EPERM':
      return 'the agent needs CAP_NET_ADMIN in this network namespace';
    case 'ENOENT':
      return adviceOnMissing(op);
    case 'ESRCH':
      return 'there is no such service';
    case 'EEXIST':
      return op.kind === 'addService' ? 'there is such a service already' : 'the service has this real already';
    case 'EAFNOSUPPORT':
      return 'this kernel was built without IPv6 for IPVS (CONFIG_IP_VS_IPV6)';
    default:
      return errnoMeaning(errno);
  }
}

function adviceOnMissing(op: DataplaneOp): string {
  if (op.kind !== 'addService' && op.kind !== 'editService') return 'the service has no such real';
  const { scheduler, persistenceEngine } = op.service;
  const asked = `the kernel has no scheduler "${scheduler}"`;
  if (persistenceEngine === null) return `${asked}: try \`modprobe ip_vs_${scheduler}\``;
  const modules = `\`modprobe -a ip_vs_${scheduler} ip_vs_pe_${persistenceEngine}\``;
  return `${asked} or no persistence engine "${persistenceEngine}": try ${modules}`;
}
