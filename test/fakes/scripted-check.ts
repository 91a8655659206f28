import { checkType } from '../../src/checks/definition.ts';
import type { CheckType } from '../../src/checks/definition.ts';
import type { ProbeOutcome } from '../../src/checks/outcome.ts';
import type { CheckDefinition, WantedCheck } from '../../src/checks/port.ts';
import type { Endpoint } from '../../src/checks/prober.ts';
import type { IpAddress } from '../../src/model/address.ts';

/** A check type whose probes do what the test says; each probe that started is in `probed`. */
export function scriptedCheck(answer: (endpoint: Endpoint) => ProbeOutcome | Promise<ProbeOutcome>): {
  readonly types: ReadonlyMap<string, CheckType>;
  readonly probed: string[];
} {
  const probed: string[] = [];
  const scripted = checkType({
    type: 'scripted',
    summary: 'For tests.',
    fields: () => ({}),
    example: { type: 'scripted' },
    define: () => ({}),
    prober: () => (endpoint) => {
      probed.push(`${endpoint.address}:${endpoint.port}`);
      return Promise.resolve(answer(endpoint));
    },
  });
  return { types: new Map([['scripted', scripted]]), probed };
}

export const SUCCESS: ProbeOutcome = { kind: 'success', cause: '200', latencyMs: 3.2 };
export const FAILURE: ProbeOutcome = { kind: 'failure', cause: 'status 503', latencyMs: 2, proof: 'answer' };
export const NOT_RUN: ProbeOutcome = { kind: 'notRun', cause: 'too many open files' };

/** A definition without jitter, so that a test can count intervals. */
export const SCRIPTED: CheckDefinition = { type: 'scripted', intervalMs: 2_000, timeoutMs: 1_000, jitter: 0 };

export function wanted(
  key: string,
  options: { address?: string; port?: number; definition?: CheckDefinition; rise?: number; fall?: number } = {},
): WantedCheck {
  const { address = '10.0.0.1', port = 80, definition = SCRIPTED, rise = 2, fall = 3 } = options;
  return { key, target: { address: address as IpAddress, port, definition }, rise, fall };
}
