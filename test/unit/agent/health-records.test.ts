import { describe, expect, it } from 'vitest';
import { healthRecords } from '../../../src/agent/policy/health-records.ts';
import { routesFor } from '../../../src/agent/policy/routes.ts';
import type { LeavingEntry } from '../../../src/agent/policy/journal.ts';
import { HealthRecord } from '../../../src/model/records/state.ts';
import { validatorOf } from '../../../src/model/validate.ts';
import { configuration, real, service } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';

const NOW = Date.UTC(2026, 0, 2, 3, 4, 5);

function records(leaving: readonly LeavingEntry[] = []) {
  const desired = configuration([
    service(
      'web',
      [real('a', '10.0.0.1'), real('b', '10.0.0.2', { port: 8080 }), real('c', '10.0.0.3', { state: 'drain' })],
      {
        health: { rise: 1, fall: 1, initial: 'unknown', whenDown: 'quiesce', floor: 0.9, slowStartMs: 0 },
      },
    ),
  ]);
  const decisions = new Decisions();
  decisions.now = NOW;
  const effective = decisions.decide(desired, { '10.0.0.1': 'up', '10.0.0.2': 'down' });
  const { vips } = routesFor(desired, effective, null);
  return new Map(healthRecords({ agent: 'lb1', effective, vips, leaving, actual: new Map() }));
}

const leaving = (fields: Partial<LeavingEntry> = {}): LeavingEntry => ({
  key: 'tcp|192.0.2.10|80' as never,
  destination: '10.0.0.9|80' as never,
  service: 'web',
  real: 'old',
  weight: 0,
  since: NOW,
  until: NOW + 60_000,
  connections: { active: 2, inactive: 1, persistent: 0 },
  ...fields,
});

describe('health records', () => {
  it('say of every real what it is and why', () => {
    const at = '2026-01-02T03:04:05.000Z';
    expect(records().get('web')).toEqual({
      v: 1,
      agent: 'lb1',
      quorum: 'held',
      advertised: true,
      reals: {
        a: { target: '10.0.0.1:80', verdict: 'up', since: at, cause: 'ok: it is up', weight: 10, state: 'enabled' },
        b: {
          target: '10.0.0.2:8080',
          verdict: 'down',
          since: at,
          cause: 'ok: it is down',
          weight: 10,
          state: 'enabled',
          kept: true,
        },
        c: {
          target: '10.0.0.3:80',
          verdict: 'unknown',
          since: at,
          cause: 'ok: not checked yet',
          weight: 0,
          state: 'drain',
          drain: { since: null, connections: { active: 0, inactive: 0, persistent: 0 }, deadline: null, done: true },
        },
      },
    });
  });

  it('have the form that other tools are promised', () => {
    const content = records([leaving()]).get('web');
    const record = {
      ...content,
      revision: 'sha256:1',
      session: '0x1',
      at: '2026-01-02T03:04:05Z',
      validUntil: '2026-01-02T03:05:05Z',
    };
    expect(validatorOf(HealthRecord)(record)).toMatchObject({ ok: true });
  });

  it('name what is leaving, unless a real of that name is there', () => {
    const reals = records([
      leaving(),
      leaving({ real: null, destination: '2001:db8::1|80' as never }),
      leaving({ real: 'a' }),
    ]).get('web')?.reals;
    expect(Object.keys(reals ?? {})).toEqual(['a', 'b', 'c', 'old', '[2001:db8::1]:80']);
    expect(reals?.['a']?.state).toBe('enabled');
    expect(reals?.['old']).toEqual({
      target: '10.0.0.9:80',
      verdict: 'unknown',
      since: '2026-01-02T03:04:05.000Z',
      cause: 'leaving: deleted when its connections are over, at the latest at 2026-01-02T03:05:05.000Z',
      weight: 0,
      state: 'leaving',
      drain: {
        since: '2026-01-02T03:04:05.000Z',
        connections: { active: 2, inactive: 1, persistent: 0 },
        deadline: '2026-01-02T03:05:05.000Z',
        done: false,
      },
    });
  });
});
