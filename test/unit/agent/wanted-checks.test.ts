import { describe, expect, it } from 'vitest';
import { prepare } from '../../../src/agent/policy/prepared.ts';
import { wantedChecks } from '../../../src/agent/policy/wanted-checks.ts';
import type { Desired, DesiredService } from '../../../src/agent/policy/desired-state.ts';
import { configuration, real, service } from '../../fakes/configurations.ts';

const tcp = { type: 'tcp', intervalMs: 1_000, timeoutMs: 500 };
const one = (
  fields: Partial<Omit<DesiredService, 'reals'>> = {},
  checks: Desired['checks'] = { ok: tcp },
  reals = [real('a', '10.0.0.1')],
) => configuration([service('web', reals, fields)], { checks });
const keys = (desired: Desired): string[] => wantedChecks(prepare(desired)).map(({ key }) => key);

describe('the checks that are wanted', () => {
  it('go to the port of the check, else of the real, else the first of the service', () => {
    const port = (...args: Parameters<typeof one>) =>
      wantedChecks(prepare(one(...args))).map(({ target }) => target.port);
    const match = { kind: 'ports', ports: [{ first: 8000, last: 8010 }], protocols: ['tcp'] } as const;
    expect(port({ match })).toEqual([8000]);
    expect(port({ match }, undefined, [real('a', '10.0.0.1', { port: 9000 })])).toEqual([9000]);
    expect(port({ match }, { ok: { ...tcp, port: 7000 } }, [real('a', '10.0.0.1', { port: 9000 })])).toEqual([7000]);
  });

  it('are shared by whoever probes the same in the same way', () => {
    const desired = configuration([
      service('web', [real('a', '10.0.0.1')]),
      service('api', [real('b', '10.0.0.1'), real('c', '10.0.0.2')]),
      service('strict', [real('d', '10.0.0.1')], {
        health: { rise: 9, fall: 9, initial: 'unknown', whenDown: 'remove', floor: 0, slowStartMs: 0 },
      }),
    ]);
    expect(keys(desired)).toHaveLength(3);
  });

  it('keep their key over renames, restarts and the order of fields, and change it with what they do', () => {
    const reordered = { timeoutMs: 500, type: 'tcp', intervalMs: 1_000 };
    const renamed = configuration([service('shop', [real('z', '10.0.0.1', { checks: ['fine'] })])], {
      checks: { fine: reordered },
    });
    expect(keys(renamed)).toEqual(keys(one()));
    expect(keys(one({}, { ok: { ...tcp, timeoutMs: 501 } }))).not.toEqual(keys(one()));
    expect(keys(one({}, { ok: { ...tcp, headers: { b: '1', a: '2' } } }))).toEqual(
      keys(one({}, { ok: { headers: { a: '2', b: '1' }, ...tcp } })),
    );
  });

  it('leave out what is disabled, but not what is drained', () => {
    expect(keys(one({ state: 'disabled' }))).toEqual([]);
    expect(keys(one({ state: 'drain' }))).toHaveLength(1);
    expect(keys(one({}, undefined, [real('a', '10.0.0.1', { state: 'disabled' })]))).toEqual([]);
    expect(keys(one({}, undefined, [real('a', '10.0.0.1', { state: 'drain' })]))).toHaveLength(1);
  });

  it('leave out a check that has nowhere to go', () => {
    expect(keys(one({ match: { kind: 'fwmark', fwmark: 7, families: ['ipv4'] } }))).toEqual([]);
    expect(keys(one({}, {}))).toEqual([]);
  });
});
