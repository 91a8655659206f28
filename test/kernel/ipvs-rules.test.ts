import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane } from '../../src/ipvs/create-dataplane.ts';
import type { ApplyReport, Dataplane, DataplaneOp, DataplaneState } from '../../src/ipvs/dataplane.ts';
import { errnoOf } from '../../src/ipvs/kernel-refusal.ts';
import { MemoryDataplane } from '../../src/ipvs/memory-dataplane.ts';
import { NetlinkClient } from '../../src/ipvs/netlink/client.ts';
import { NETLINK_GENERIC } from '../../src/ipvs/netlink/constants.ts';
import { errnoName } from '../../src/ipvs/netlink/errno.ts';
import { resolveFamily } from '../../src/ipvs/netlink/family.ts';
import { socketTransport } from '../../src/ipvs/netlink/socket-transport.ts';
import { IpvsRequests } from '../../src/ipvs/requests.ts';
import { brokenRule } from '../../src/ipvs/rules.ts';
import {
  addReal,
  addService,
  deleteReal,
  deleteService,
  editReal,
  editService,
  fwmark,
  match,
  real,
  service,
  tunnel,
  WEB,
  WEB6,
} from '../contract/dataplane-samples.ts';
import { runs } from '../fakes/property.ts';

const run = promisify(execFile);

describe('the rules that are the kernel’s own', () => {
  const client = new NetlinkClient({ open: socketTransport(NETLINK_GENERIC, systemClock), clock: systemClock });
  let familyId = 0;
  beforeAll(async () => {
    const answer = await resolveFamily(client, 'IPVS');
    if (!answer.ok) throw answer.error;
    familyId = answer.value ?? 0;
  });
  afterAll(() => client.close());
  beforeEach(async () => {
    await run('ipvsadm', ['--clear']);
    expect(await errnoFor(addService(service(WEB)))).toBe('ok');
    expect(await errnoFor(addService(service(WEB6)))).toBe('ok');
  });

  /** Past the rules, straight to the kernel. */
  async function errnoFor(op: DataplaneOp): Promise<string> {
    const { answers } = await client.request([new IpvsRequests(familyId).carryOut(op)]);
    const [answer] = answers;
    if (answer === undefined) throw new Error('no answer');
    return answer.errno === 0 ? 'ok' : errnoName(answer.errno);
  }

  const persistent = (timeoutSeconds: number, prefixLength: number) => ({
    persistence: { timeoutSeconds, prefixLength },
  });
  const OTHER = match('tcp', '192.0.2.9', 80);
  const OTHER6 = match('tcp', '2001:db8::2', 80);

  const kernels: readonly (readonly [string, DataplaneOp])[] = [
    ['a negative weight', addReal(WEB, real('10.0.0.1', 80, { weight: -1 }))],
    ['a weight of 2^31', addReal(WEB, real('10.0.0.1', 80, { weight: -(2 ** 31) }))],
    ['crossed thresholds', addReal(WEB, real('10.0.0.1', 80, { upperThreshold: 1, lowerThreshold: 2 }))],
    ['a lower threshold alone', addReal(WEB, real('10.0.0.1', 80, { lowerThreshold: 2 }))],
    ['another family by NAT', addReal(WEB, real('2001:db8::9', 80))],
    ['another family by direct routing', addReal(WEB6, real('10.0.0.1', 80, { forwarding: { method: 'direct' } }))],
    ['a GUE tunnel without a port', addReal(WEB, real('10.0.0.1', 80, { forwarding: tunnel('gue', 0) }))],
    ['a multicast real', addReal(WEB, real('224.0.0.1', 80))],
    ['a broadcast real', addReal(WEB, real('255.255.255.255', 80))],
    ['no real at all', addReal(WEB, real('0.0.0.0', 80))],
    ['an IPv6 multicast real', addReal(WEB6, real('ff02::1', 80))],
    ['an IPv6 link-local real', addReal(WEB6, real('fe80::1', 80))],
    ['an unspecified IPv6 real', addReal(WEB6, real('::', 80))],
    ['an IPv6 persistence mask of nothing', addService(service(OTHER6, persistent(9, 0)))],
    ['an IPv6 persistence mask beyond a host', addService(service(OTHER6, persistent(9, 129)))],
  ];
  it.each(kernels)('refuse %s with the errno that we name', async (_what, op) => {
    expect(await errnoFor(op)).toBe(brokenRule(op)?.errno);
  });

  const ours: readonly (readonly [string, DataplaneOp])[] = [
    ['port 0 without persistence', addService(service(match('tcp', '192.0.2.9', 0)))],
    ['one-packet scheduling of TCP', addService(service(OTHER, { onePacket: true }))],
    ['the firewall mark that no packet has', addService(service(fwmark(0, 'ipv4')))],
    ['persistence of no time', addService(service(OTHER, persistent(0, 32)))],
    ['persistence that ipvsadm cannot say', addService(service(OTHER, persistent(31 * 86_400 + 1, 32)))],
    ['an IPv4 persistence mask of nothing', addService(service(OTHER, persistent(9, 0)))],
    ['a third flag of sh', addService(service(OTHER, { scheduler: 'sh', schedulerFlags: 4 }))],
    ['a third flag of mh', addService(service(OTHER, { scheduler: 'mh', schedulerFlags: 7 }))],
    ['thresholds that ipvsadm reads as negative', addReal(WEB, real('10.0.0.1', 80, { upperThreshold: 2 ** 31 }))],
    ['another port by direct routing', addReal(WEB, real('10.0.0.1', 81, { forwarding: { method: 'direct' } }))],
    ['another port by a tunnel', addReal(WEB, real('10.0.0.1', 81, { forwarding: tunnel('ipip') }))],
    ['a port of an ipip tunnel', addReal(WEB, real('10.0.0.1', 80, { forwarding: tunnel('ipip', 6080) }))],
    ['a port of a gre tunnel', addReal(WEB, real('10.0.0.1', 80, { forwarding: tunnel('gre', 6080) }))],
    ['a checksum of an ipip tunnel', addReal(WEB, real('10.0.0.1', 80, { forwarding: tunnel('ipip', 0, 'full') }))],
    ['remote checksums by gre', addReal(WEB, real('10.0.0.1', 80, { forwarding: tunnel('gre', 0, 'remote') }))],
    ['a reserved address', addReal(WEB, real('240.0.0.1', 80))],
  ];
  it.each(ours)('do not include %s, which it takes and then does not serve or keep as told', async (_what, op) => {
    expect(await errnoFor(op)).toBe('ok');
    expect(brokenRule(op)?.reason).toBeTruthy();
  });

  it('include that persistence is counted in jiffies, of which there are too few for years', async () => {
    const years = 2 ** 32 - 1;
    const op = addService(service(OTHER, persistent(years, 32)));
    expect([await errnoFor(op), brokenRule(op)?.errno]).toEqual(['ok', 'EINVAL']);
    const { stdout } = await run('ipvsadm', ['--save', '--numeric']);
    expect(Number(/192\.0\.2\.9:80 -s wlc -p (\d+)/.exec(stdout)?.[1])).toBeLessThan(years / 10);
  });

  it('include that connections are not synchronised of a service whose reals are of both families', async () => {
    const mixed = addReal(WEB, real('2001:db8::9', 80, { forwarding: tunnel('ipip') }));
    const daemon = (...words: string[]) => run('ipvsadm', words);
    const start = ['--start-daemon', 'master', '--mcast-interface', 'sync-test'];
    await run('ip', ['link', 'add', 'sync-test', 'type', 'dummy']);
    await run('ip', ['link', 'set', 'sync-test', 'up', 'multicast', 'on']);
    try {
      await daemon(...start);
      expect([await errnoFor(mixed), brokenRule(mixed)]).toEqual(['EINVAL', null]);
      await daemon('--stop-daemon', 'master');
      expect(await errnoFor(mixed)).toBe('ok');
      await expect(daemon(...start)).rejects.toThrow();
    } finally {
      await run('ip', ['link', 'delete', 'sync-test']);
    }
  });

  it('leave it to the kernel to say which schedulers it has', async () => {
    const op = addService(service(OTHER, { scheduler: 'twos' }));
    expect(brokenRule(op)).toBeNull();
    const has = await run('ipvsadm', ['-A', '-t', '192.0.2.10:80', '-s', 'twos']).then(
      () => true,
      () => false,
    );
    const kernel = createDataplane('ipvs', { clock: systemClock, log: silentLog });
    const { failed } = await kernel.apply([op]);
    await kernel.close();
    expect(failed.map(({ error }) => errnoOf(error))).toEqual(has ? [] : ['ENOENT']);
    if (!has) expect(failed[0]?.error.message).toContain('modprobe ip_vs_twos');
  });
});

describe('memory against the kernel', () => {
  let kernel: Dataplane;
  beforeAll(() => {
    kernel = createDataplane('ipvs', { clock: systemClock, log: silentLog });
  });
  afterAll(() => kernel.close());

  const matches = [WEB, WEB6, fwmark(1, 'ipv4'), fwmark(1, 'ipv6')];
  const anyMatch = fc.constantFrom(...matches);
  const anyService = fc
    .tuple(anyMatch, fc.constantFrom('wlc', 'rr', 'nosuch'), fc.nat({ max: 7 }), fc.boolean())
    .map(([of, scheduler, schedulerFlags, persistent]) =>
      service(of, {
        scheduler,
        schedulerFlags,
        persistence: persistent ? { timeoutSeconds: 60, prefixLength: 32 } : null,
      }),
    );
  const anyReal = fc
    .tuple(
      fc.constantFrom('10.0.0.1', '10.0.0.2', '2001:db8::9', '224.0.0.1'),
      fc.constantFrom(80, 8080),
      fc.constantFrom(0, 1, 100, -1),
      fc.constantFrom({ method: 'nat' } as const, { method: 'direct' } as const, tunnel('ipip'), tunnel('gue', 6080)),
      fc.constantFrom([0, 0], [10, 5], [5, 10]),
    )
    .map(([address, port, weight, forwarding, [upperThreshold = 0, lowerThreshold = 0]]) =>
      real(address, port, { weight, forwarding, upperThreshold, lowerThreshold }),
    );
  const anyOp: fc.Arbitrary<DataplaneOp> = fc.oneof(
    anyService.map(addService),
    anyService.map(editService),
    anyMatch.map(deleteService),
    fc.tuple(anyMatch, anyReal).map(([of, each]) => addReal(of, each)),
    fc.tuple(anyMatch, anyReal).map(([of, each]) => addReal(of, each)),
    fc.tuple(anyMatch, anyReal).map(([of, each]) => editReal(of, each)),
    fc.tuple(anyMatch, anyReal).map(([of, each]) => deleteReal(of, each.address, each.port)),
  );

  async function tableOf(dataplane: Dataplane): Promise<DataplaneState> {
    const state = await dataplane.read();
    if (!state.ok) throw state.error;
    return state.value;
  }

  /** In plain objects: what a reading holds of a destination decodes its counters only for whoever looks. */
  const plainly = (state: DataplaneState) =>
    Object.fromEntries(
      [...state].map(([key, { service: held, stats, destinations }]) => {
        const reals = [...destinations].map(([at, { destination, activity }]) => {
          const { activeConnections, inactiveConnections, persistentConnections, stats: counted } = activity;
          const connections = { activeConnections, inactiveConnections, persistentConnections };
          return [at, { destination, connections, counted }] as const;
        });
        return [key, { held, stats, reals: Object.fromEntries(reals) }] as const;
      }),
    );

  const outcome = ({ applied, failed, lost }: ApplyReport<DataplaneOp>) => ({
    applied,
    failed: failed.map(({ op, error }) => ({ op, errno: errnoOf(error) })),
    lost,
  });

  it('gives the same answers and the same table for any operations', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyOp, { minLength: 1, maxLength: 30 }), async (ops) => {
        // Not by ipvsadm: starting a process takes longer in a guest than all the rest.
        await kernel.apply([...(await tableOf(kernel)).values()].map((held) => deleteService(held.service.match)));
        const memory = new MemoryDataplane();
        // Services first, so that most sequences have something to work on.
        const plan = [...matches.map((of) => addService(service(of))), ...ops];
        expect(outcome(await kernel.apply(plan))).toEqual(outcome(await memory.apply(plan)));
        expect(plainly(await tableOf(kernel))).toEqual(plainly(await tableOf(memory)));
      }),
      runs(40),
    );
  });
});
