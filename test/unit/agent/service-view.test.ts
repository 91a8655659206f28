import { describe, expect, it } from 'vitest';
import type { PassView } from '../../../src/agent/reconciler.ts';
import { routesFor } from '../../../src/agent/policy/routes.ts';
import { serviceViews } from '../../../src/agent/service-view.ts';
import type { ServiceInput } from '../../../src/agent/service-view.ts';
import { TrafficLedger } from '../../../src/agent/traffic-ledger.ts';
import type { ActualService, DataplaneState, DestinationActivity } from '../../../src/ipvs/dataplane.ts';
import type { ServiceView } from '../../../src/model/status.ts';
import { configuration, ports, real, service } from '../../fakes/configurations.ts';
import { Decisions, verdictsBy } from '../../fakes/decisions.ts';
import { kernelState } from '../../fakes/model-kernel.ts';

const DESIRED = configuration([
  service('web', [real('a', '10.0.0.1'), real('b', '10.0.0.2')], { match: ports(80, 81) }),
]);
const KEYS = ['tcp|192.0.2.10|80', 'tcp|192.0.2.10|81'];

/** Tells what was counted last, like an entry of a table that is read again and again. */
class LiveActivity implements DestinationActivity {
  revision = 1;
  activeConnections = 1;
  inactiveConnections = 2;
  persistentConnections = 3;
  stats = {
    connections: 10n,
    inPackets: 20n,
    outPackets: 30n,
    inBytes: 40n,
    outBytes: 50n,
    connectionsPerSecond: 4,
    inPacketsPerSecond: 5,
    outPacketsPerSecond: 6,
    inBytesPerSecond: 7.5,
    outBytesPerSecond: 8.25,
  };

  count(): void {
    this.revision++;
    this.activeConnections += 100;
    this.stats = { ...this.stats, connections: 1_000n, inBytesPerSecond: 0 };
  }
}

function liveKernel(live: LiveActivity): DataplaneState {
  const state = kernelState(Object.fromEntries(KEYS.map((key) => [key, destinations(key)])));
  return new Map(
    [...state].map(([key, each]): [typeof key, ActualService] => {
      const withActivity = [...each.destinations].map(([name, one]) => [name, { ...one, activity: live }] as const);
      return [key, { ...each, destinations: new Map(withActivity) }];
    }),
  );
}

function destinations(key: string): Record<string, number> {
  const port = key.slice(-2);
  return { [`10.0.0.1|${port}`]: 10, [`10.0.0.2|${port}`]: 10 };
}

/** Real a is up and drained in steps, real b is down. */
function pass(): PassView {
  const effective = new Decisions().decide(DESIRED, { '10.0.0.1': 'up', '10.0.0.2': 'down' });
  const services = [...effective.services].map(([name, each]) => {
    const reals = [...each.reals].map(([realName, one]) => {
      return [realName, realName === 'a' ? ({ ...one, state: 'drain', drainedSince: 500 } as const) : one] as const;
    });
    return [name, { ...each, reals: new Map(reals) }] as const;
  });
  const decided = { ...effective, services: new Map(services) };
  return { desired: DESIRED, effective: decided, vips: routesFor(DESIRED, decided, null).vips, complete: true };
}

function setUp() {
  const live = new LiveActivity();
  const services = liveKernel(live);
  const verdicts = new Map(verdictsBy(DESIRED, { '10.0.0.1': 'up', '10.0.0.2': 'down' }));
  const ledger = new TrafficLedger();
  const input: ServiceInput = {
    pass: pass(),
    kernel: { adapter: 'ipvs', leaving: [], picture: { services, addresses: [] } },
    ledger,
    verdicts,
  };
  const read = (): void => ledger.take(input.pass.effective, [], services);
  read();
  const web = (): ServiceView => {
    const [view] = serviceViews(input);
    if (view === undefined) throw new Error('there is no service');
    return view;
  };
  return { live, read, verdicts, web };
}

describe('the view of a service', () => {
  it('has every figure of a real, over all of its kernel services', () => {
    const [a] = setUp().web().reals;
    expect(a).toMatchObject({
      activeConnections: 2,
      inactiveConnections: 4,
      persistentConnections: 6,
      latencyMs: 1,
      traffic: {
        connections: 20,
        inPackets: 40,
        outPackets: 60,
        inBytes: 80,
        outBytes: 100,
        connectionsPerSecond: 8,
        inPacketsPerSecond: 10,
        outPacketsPerSecond: 12,
        inBytesPerSecond: 15,
        outBytesPerSecond: 16.5,
      },
      drain: { since: '1970-01-01T00:00:00.500Z', connections: { active: 2, inactive: 4, persistent: 6 } },
    });
  });

  it('is of the moment in which it was put together, whenever somebody looks at its reals', () => {
    const { live, read, verdicts, web } = setUp();
    const [then] = web().reals;
    const view = web();
    live.count();
    read();
    for (const [key, verdict] of verdicts) verdicts.set(key, { ...verdict, latencyMs: 77 });
    expect(view.reals[0]).toEqual(then);
    expect(view.connections).toEqual({ active: 4, inactive: 8, persistent: 12 });
    expect(web().reals[0]).toMatchObject({
      activeConnections: 202,
      latencyMs: 77,
      traffic: { connections: 2_000, inBytesPerSecond: 0 },
      drain: { connections: { active: 202 } },
    });
  });

  it('keeps no real that was looked at: ten thousand are megabytes', () => {
    const view = setUp().web();
    expect(view.reals).toEqual(view.reals);
    expect(view.reals).not.toBe(view.reals);
  });
});
