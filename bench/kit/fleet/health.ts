import { healthRecords } from '../../../src/agent/policy/health-records.ts';
import type { EffectiveReal, EffectiveService } from '../../../src/agent/policy/effective-state.ts';
import type { FleetSize } from '../records.ts';

const REVISION = `sha256:${'5'.repeat(64)}`;
const START = Date.UTC(2026, 0, 1);

/**
 * What one agent publishes about all services: path under the root → bytes, written by the agent's own functions. In
 * the first `changed` services one real has a verdict that differs from round to round; the others stay as they were.
 */
export function healthOf(
  agent: string,
  size: FleetSize,
  round: number,
  changed: number,
): ReadonlyMap<string, Uint8Array> {
  const services = new Map<string, EffectiveService>();
  for (let index = 0; index < size.services; index++) {
    const name = `web-${index}`;
    services.set(name, serviceOf(name, index, size, index < changed ? round : 0));
  }
  const effective = { revision: REVISION, services, kernel: new Map(), vips: new Map(), marks: [], nextChangeMs: null };
  const records = new Map(healthRecords({ agent, effective, vips: new Map(), leaving: [], actual: new Map() }));
  return new Map(
    [...records].map(([service, content]): [string, Uint8Array] => {
      const path = `state/health/${service}/${agent}`;
      const stamp = {
        revision: REVISION,
        session: '0x0',
        at: '2026-01-01T00:00:00.000Z',
        validUntil: '2026-01-01T00:01:30.000Z',
      };
      return [path, Buffer.from(JSON.stringify({ ...content, ...stamp }))];
    }),
  );
}

function serviceOf(name: string, index: number, { reals }: FleetSize, round: number): EffectiveService {
  const flapping = round % 2 === 1;
  const all = Array.from({ length: reals }, (_, real): [string, EffectiveReal] => {
    const down = real === 0 && flapping;
    const since = START + (real === 0 ? round * 1_000 : 0);
    return [
      `real-${real}`,
      {
        name: `real-${real}`,
        target: `10.0.${index}.${real + 1}:443`,
        state: 'enabled',
        verdict: {
          state: down ? 'down' : 'up',
          since,
          cause: down ? 'tcp-ok: refused' : 'tcp-ok: connected',
        },
        undecided: false,
        checks: [],
        configuredWeight: 10,
        weight: down ? 0 : 10,
        kept: false,
        reason: 'up',
        drainedSince: null,
        held: false,
      },
    ];
  });
  return {
    name,
    vip: `vip-${index}`,
    state: 'enabled',
    stateReason: 'enabled',
    quorum: { state: 'held', since: START, cause: '100 of 100' },
    serving: true,
    sorry: false,
    kernelKeys: [],
    drainTimeoutMs: null,
    reals: new Map(all),
    held: false,
  };
}
