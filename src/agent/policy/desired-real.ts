import { canonicalAddress } from '../../model/address.ts';
import type { Family } from '../../model/address.ts';
import type { Decoded } from '../../model/record-set.ts';
import type { RealRecord } from '../../model/records/real.ts';
import type { FieldProblem } from '../../model/validate.ts';
import type { References } from './desired-service.ts';
import { checkFaults, portFaults, reachFaults } from './desired-service.ts';
import type { DesiredReal, DesiredService } from './desired-state.ts';
import { finding, findingInWords } from './findings.ts';
import { forwardingFaults, forwardingOf } from './forwarding.ts';
import { containsPort } from './port-ranges.ts';
import { definitionPort, probePortOf } from './probe-port.ts';

/** What a real's record says in its service; nothing is judged yet. */
export function realOf(record: Decoded<RealRecord>, service: DesiredService): DesiredReal {
  const { name, value } = record;
  return {
    name,
    address: canonicalAddress(value.address),
    port: value.port ?? null,
    weight: value.weight,
    state: value.state,
    forwarding: value.forward === undefined ? service.forwarding : forwardingOf(value.forward),
    checks: value.checks ?? service.checks,
    upperThreshold: value.upperThreshold,
    lowerThreshold: value.lowerThreshold,
    created: record.created.toString(),
    held: false,
  };
}

/**
 * What forbids the real in its service as it stands.
 * @param families of the packets that the service takes
 */
export function realFaults(
  real: DesiredReal,
  service: DesiredService,
  families: readonly Family[],
  references: References,
): FieldProblem[] {
  const faults = forwardingFaults(real.forwarding, 'forward');
  append(faults, portFaults(service, real, 'port'));
  append(faults, checkFaults(real.checks, references));
  append(faults, probeFaults(real, service, references));
  append(faults, reachFaults(real, 'address', families, references));
  if (real.lowerThreshold > real.upperThreshold) {
    // ERANGE in ip_vs_add_dest() and ip_vs_edit_dest().
    faults.push(finding('lowerThreshold', real.lowerThreshold, `at most the upperThreshold, ${real.upperThreshold}`));
  }
  return faults;
}

/** Not by spreading, which costs more than all that is found here: of ten thousand reals hardly one has a fault. */
function append(faults: FieldProblem[], more: readonly FieldProblem[]): void {
  for (const fault of more) faults.push(fault);
}

function probeFaults(real: DesiredReal, service: DesiredService, references: References): FieldProblem[] {
  if (probePortOf(real, service) !== null) return [];
  const without = real.checks.find((check) => {
    const definition = references.check(check);
    return definition !== null && definitionPort(definition) === null;
  });
  if (without === undefined) return [];
  const allowed = `a "port" in check "${without}": the service has no port of its own to probe`;
  return [findingInWords('checks', 'no port to probe', allowed)];
}

/** Whether both would be one destination of some kernel service of their service. */
export function sameTarget(a: DesiredReal, b: DesiredReal, service: DesiredService): boolean {
  if (a.address !== b.address) return false;
  if (a.port === b.port) return true;
  const explicit = a.port ?? b.port;
  if ((a.port !== null && b.port !== null) || explicit === null) return false;
  return service.match.kind === 'ports' && containsPort(service.match.ports, explicit);
}
