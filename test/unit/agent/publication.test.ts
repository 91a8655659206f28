import { describe, expect, it } from 'vitest';
import { publicationOf } from '../../../src/agent/publication.ts';
import { routesFor } from '../../../src/agent/policy/routes.ts';
import { configuration, ports, real, service } from '../../fakes/configurations.ts';
import { Decisions } from '../../fakes/decisions.ts';
import { statusView } from '../../fakes/status-view.ts';

const problem = (index: number) => ({
  path: `config/services/s${index}`,
  field: 'vip',
  found: 'nothing',
  allowed: 'a name',
  effect: 'it is absent',
});

const NOTHING = { leaving: [], picture: null };

describe('what the agent publishes', () => {
  it('says of itself what its status page says', () => {
    const status = statusView({ ready: false, notReady: ['dataplane: EPERM'] });
    const { agent } = publicationOf(status, null, NOTHING);
    expect(agent).toMatchObject({
      v: 1,
      agent: 'lb1',
      ready: false,
      notReady: ['dataplane: EPERM'],
      seenRevision: status.configuration.seenRevision,
      acceptedRevision: status.configuration.acceptedRevision,
      problemCount: 1,
      drains: { 'chg-1': { target: 'web-https/b', reals: 1, realsDone: 0, connections: { active: 3 }, done: false } },
      peers: { tor1: { address: '10.1.0.1', state: 'established', announced: 2 } },
    });
  });

  it('stays small however much is wrong, and says how much it is', () => {
    const lost = Array.from({ length: 150 }, (_, index) => `service s${index}`);
    const status = statusView({
      problems: Array.from({ length: 5_000 }, (_, index) => problem(index)),
      holds: [{ revision: 'sha256:2', why: 'many', since: '2026-01-01T00:00:00.000Z', lost }],
    });
    const { agent } = publicationOf(status, null, NOTHING);
    expect(agent.problems).toHaveLength(100);
    expect(agent.problemCount).toBe(5_000);
    expect(agent.holds[0]?.lost).toHaveLength(100);
  });

  it('has no health before the first pass: no record is better than one that knows nothing', () => {
    expect([...publicationOf(statusView(), null, NOTHING).health]).toEqual([]);
  });

  it('has the health of every service, with what is leaving', () => {
    const desired = configuration([service('web', [real('a', '10.0.0.1')]), service('mail', [], { match: ports(25) })]);
    const effective = new Decisions().decide(desired, { '10.0.0.1': 'up' });
    const pass = { desired, effective, vips: routesFor(desired, effective, null).vips, complete: true };
    const [key] = effective.services.get('web')?.kernelKeys ?? [];
    if (key === undefined) throw new Error('there is no kernel service');
    const leaving = { key, destination: '10.0.0.9|80', service: 'web', real: 'old', weight: 0, since: 0, until: 1_000 };
    const connections = { active: 1, inactive: 0, persistent: 0 };
    const publication = publicationOf(statusView(), pass, {
      leaving: [{ ...leaving, destination: '10.0.0.9|80' as never, connections }],
      picture: null,
    });
    const health = new Map(publication.health);
    expect([...health.keys()]).toEqual(['mail', 'web']);
    expect(health.get('web')).toMatchObject({
      agent: 'lb1',
      quorum: 'held',
      advertised: true,
      reals: { a: { verdict: 'up', weight: 10 }, old: { state: 'leaving', target: '10.0.0.9:80', weight: 0 } },
    });
  });
});
