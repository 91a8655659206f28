import type { WantedCheck } from '../../checks/port.ts';
import type { Prepared } from './prepared.ts';

/** Every check that the accepted set needs, each once. What is disabled is not checked; what is drained is. */
export function wantedChecks(prepared: Prepared): WantedCheck[] {
  const wanted = new Map<string, WantedCheck>();
  for (const { service, reals } of prepared.services) {
    if (service.state === 'disabled') continue;
    for (const { real, checks } of reals) {
      if (real.state === 'disabled') continue;
      for (const check of checks) wanted.set(check.wanted.key, check.wanted);
    }
  }
  return [...wanted.values()];
}
