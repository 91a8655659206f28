import { describe, expect, it } from 'vitest';
import type { Desired } from '../../../src/agent/policy/desired-state.ts';
import { losses, retain } from '../../../src/agent/policy/losses.ts';
import { configuration, ports, real, service, vip } from '../../fakes/configurations.ts';

const lost = (accepted: Desired, candidate: Desired): string[] =>
  losses(accepted, candidate).map((loss) => (loss.real === null ? loss.service : `${loss.service}/${loss.real}`));

const a = real('a', '10.0.0.1');
const b = real('b', '10.0.0.2');
const c = real('c', '10.0.0.3', { port: 8080 });
const web = service('web', [a, b, c]);

describe('losses', () => {
  it('are what is gone: a service counts with its reals', () => {
    const accepted = configuration([web, service('api', [a], { match: ports(81) })]);
    expect(lost(accepted, configuration([service('web', [a, c])]))).toEqual(['web/b', 'api', 'api/a']);
    expect(lost(accepted, accepted)).toEqual([]);
    expect(lost(configuration([]), accepted)).toEqual([]);
  });

  it('do not count an edit', () => {
    const edited = service(
      'web',
      [
        { ...a, address: '10.9.9.9' as never },
        { ...b, state: 'disabled' },
        { ...c, weight: 0 },
      ],
      {
        match: ports(443),
        state: 'disabled',
      },
    );
    expect(lost(configuration([web]), configuration([edited]))).toEqual([]);
  });

  it('do not count the new name of a real', () => {
    const renamed = service('web', [real('x', '10.0.0.1'), b, real('y', '10.0.0.3', { port: 8080 })]);
    expect(lost(configuration([web]), configuration([renamed]))).toEqual([]);
    const otherPort = service('web', [a, b, real('y', '10.0.0.3', { port: 8081 })]);
    expect(lost(configuration([web]), configuration([otherPort]))).toEqual(['web/c']);
  });

  it('do not count the new name of a service, but what it lacks', () => {
    const renamed = configuration([service('shop', [a, real('z', '10.0.0.2')])]);
    expect(lost(configuration([web]), renamed)).toEqual(['web/c']);
  });

  it('do not count a service that was split, but one of which a part is gone', () => {
    const both = configuration([service('web', [a], { match: ports(80, 443) })]);
    const http = service('http', [a], { match: ports(80) });
    const https = service('https', [a], { match: ports(443) });
    expect(lost(both, configuration([http, https]))).toEqual([]);
    expect(lost(both, configuration([http]))).toEqual(['web', 'web/a']);
  });
});

describe('what is retained', () => {
  it('stays as it was, beside the edits', () => {
    const accepted = configuration([web, service('api', [a], { match: ports(81) })]);
    const candidate = configuration([service('web', [{ ...a, weight: 99 }, c], { scheduler: 'rr' })], {
      revision: 'sha256:2',
    });
    const kept = retain(accepted, candidate, losses(accepted, candidate));
    expect(kept.services['web']).toMatchObject({
      scheduler: 'rr',
      held: false,
      reals: { a: { weight: 99, held: false }, b: { address: '10.0.0.2', held: true } },
    });
    expect(kept.services['api']).toMatchObject({ held: true, reals: { a: { held: true } } });
  });

  it('keeps its VIP, its checks and its drains, less the addresses that others have now', () => {
    const accepted = configuration([service('api', [real('a', '10.0.0.1', { checks: ['api'] })], { vip: 'old' })], {
      vips: [vip('old', ['192.0.2.1', '192.0.2.2'])],
      checks: { api: { type: 'http', intervalMs: 1, timeoutMs: 1 } },
      drains: {
        mine: {
          name: 'mine',
          target: { kind: 'real', service: 'api', real: 'a' },
          by: 'x',
          why: 'y',
          until: null,
          onExpiry: 'keep',
        },
        other: { name: 'other', target: { kind: 'vip', vip: 'z' }, by: 'x', why: 'y', until: null, onExpiry: 'keep' },
      },
    });
    const candidate = configuration([web], { vips: [vip('shop', ['192.0.2.1'])], checks: {} });
    const kept = retain(accepted, candidate, losses(accepted, candidate));
    expect(kept.vips['old']?.addresses).toEqual(['192.0.2.2']);
    expect(kept.checks['api']).toEqual(accepted.checks['api']);
    expect(Object.keys(kept.drains)).toEqual(['mine']);
  });

  it('is still lost when it is asked again', () => {
    const accepted = configuration([web]);
    const candidate = configuration([service('web', [a])]);
    const kept = retain(accepted, candidate, losses(accepted, candidate));
    expect(lost(kept, candidate)).toEqual(['web/b', 'web/c']);
    expect(retain(kept, candidate, losses(kept, candidate))).toEqual(kept);
  });
});
