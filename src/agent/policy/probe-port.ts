import type { CheckDefinition } from '../../model/check-definition.ts';
import type { DesiredReal, DesiredService } from './desired-state.ts';
import { firstPort } from './port-ranges.ts';

/** Where the checks of a real go that name no port: its own, else the first of the service; null when neither has one. */
export function probePortOf(real: Pick<DesiredReal, 'port'>, service: Pick<DesiredService, 'match'>): number | null {
  if (real.port !== null) return real.port;
  return service.match.kind === 'ports' ? firstPort(service.match.ports) : null;
}

/** The port that a check definition brings along, if it does. */
export function definitionPort(definition: CheckDefinition): number | null {
  const port = definition['port'];
  return typeof port === 'number' ? port : null;
}
