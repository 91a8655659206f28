import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import { err, ok } from '../../../src/core/result.ts';
import { serviceKeyOf } from '../../../src/ipvs/dataplane.ts';
import type { DataplaneState, ServiceMatch } from '../../../src/ipvs/dataplane.ts';
import type { RunProgram } from '../../../src/ipvs/program.ts';
import { IpvsadmDataplane } from '../../../src/ipvs/ipvsadm/ipvsadm-dataplane.ts';
import { parseListing } from '../../../src/ipvs/ipvsadm/listing.ts';
import { renderOp } from '../../../src/ipvs/ipvsadm/render.ts';
import { parseSaved } from '../../../src/ipvs/ipvsadm/saved.ts';
import { errnoOf } from '../../../src/ipvs/kernel-refusal.ts';
import { IPVSADM_OUTPUT } from '../../vectors/ipvsadm-output.ts';
import {
  addReal,
  addService,
  deleteReal,
  editService,
  fwmark,
  match,
  real,
  REALS,
  REALS6,
  service,
  SERVICES,
  tunnel,
  WEB,
  WEB6,
} from '../../contract/dataplane-samples.ts';

/** Plays back recorded output for listings, and a script for what is fed to --restore. */
function recorded(restore: RunProgram = () => Promise.resolve(ok({ status: 0, stdout: '', stderr: '' }))) {
  const fed: string[] = [];
  const outputs: Readonly<Record<string, string | undefined>> = IPVSADM_OUTPUT;
  const run: RunProgram = (args, input) => {
    if (args[0] === '--restore') {
      fed.push(input ?? '');
      return restore(args, input);
    }
    const stdout = outputs[args.at(-1) ?? ''] ?? IPVSADM_OUTPUT['--save'];
    return Promise.resolve(ok({ status: 0, stdout, stderr: '' }));
  };
  return { fed, dataplane: new IpvsadmDataplane({ run }) };
}

async function stateOf(dataplane: IpvsadmDataplane): Promise<DataplaneState> {
  const state = await dataplane.read();
  if (!state.ok) throw state.error;
  return state.value;
}

describe('reading', () => {
  it('puts the table together from what ipvsadm prints', async () => {
    const state = await stateOf(recorded().dataplane);
    const at = (of: ServiceMatch) => state.get(serviceKeyOf(of));
    expect(state.size).toBe(10);
    expect(at(match('udp', '10.0.0.2', 5060))?.service).toEqual(
      service(match('udp', '10.0.0.2', 5060), {
        scheduler: 'rr',
        onePacket: true,
        persistence: { timeoutSeconds: 100, prefixLength: 32 },
        persistenceEngine: 'sip',
      }),
    );
    expect(at(match('sctp', '10.0.0.1', 53))?.service.schedulerFlags).toBe(3);
    expect(at(match('tcp', '2001:db8::1', 443))?.service.schedulerFlags).toBe(5);
    expect(at(fwmark(7, 'ipv6'))?.service.persistence).toEqual({ timeoutSeconds: 300, prefixLength: 64 });
    expect([...(at(fwmark(7, 'ipv4'))?.destinations.keys() ?? [])]).toEqual(['10.3.3.3|0', '10.3.3.4|99']);
    const web = match('tcp', '10.0.0.1', 80);
    const reals = Array.from(at(web)?.destinations.values() ?? [], (each) => each.destination);
    expect(reals).toEqual([
      real('10.1.0.1', 8080, { weight: 5, upperThreshold: 100, lowerThreshold: 50 }),
      real('10.1.0.2', 80, { weight: 5, forwarding: tunnel('gue', 6080) }),
      real('10.1.0.3', 80, { weight: 5, forwarding: tunnel('gue', 6080, 'full') }),
      real('10.1.0.4', 80, { weight: 5, forwarding: tunnel('gue', 6080, 'remote') }),
      real('10.1.0.5', 80, { weight: 5, forwarding: tunnel('gre', 0, 'full') }),
      real('10.1.0.6', 80, { weight: 5, forwarding: tunnel('ipip') }),
      real('10.1.0.7', 80, { weight: 0, forwarding: { method: 'direct' } }),
      real('2001:db8::7', 80, { forwarding: tunnel('ipip') }),
    ]);
  });

  it('reads counters, rates and connections', async () => {
    const busy = (await stateOf(recorded().dataplane)).get(serviceKeyOf(match('tcp', '10.0.0.50', 8000)));
    expect(busy?.stats).toEqual({
      connections: 5n,
      inPackets: 30n,
      outPackets: 23n,
      inBytes: 1990n,
      outBytes: 7620n,
      connectionsPerSecond: 1,
      inPacketsPerSecond: 3,
      outPacketsPerSecond: 2,
      inBytesPerSecond: 208,
      outBytesPerSecond: 776,
    });
    const [held] = busy?.destinations.values() ?? [];
    expect(held?.activity).toMatchObject({ activeConnections: 0, inactiveConnections: 5, persistentConnections: 1 });
    expect(held?.activity.stats.inBytes).toBe(1990n);
  });

  it.each([
    ['an unknown option', '-A -t 10.0.0.1:80 -s wlc --brand-new'],
    ['an unknown command', '-L'],
    ['a real without its service', '-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 1'],
    ['a bad address', '-A -t 10.0.0.256:80 -s wlc'],
    ['a missing value', '-A -t 10.0.0.1:80 -s'],
    ['a bad number', '-A -t 10.0.0.1:80 -s wlc -p 1e3'],
    ['no service', '-A -s wlc'],
  ])('refuses %s and shows the line', (_what, line) => {
    const parsed = parseSaved(`${line}\n`);
    expect(parsed.ok ? '' : parsed.error).toContain(line.slice(0, 10));
  });

  it('takes a flag that ipvsadm has no name for, and prints as nothing, for none', () => {
    const parsed = parseSaved('-A -t 10.0.0.1:80 -s sh -b \n-A -t 10.0.0.2:80 -s rr\n');
    expect(parsed.ok && [...parsed.value.values()].map((each) => each.service.schedulerFlags)).toEqual([0, 0]);
  });

  it('refuses listings that do not look like one', () => {
    const titles = 'a\nb\nc\n';
    expect(parseListing(`${titles}TCP  10.0.0.1:80 1 2\n`, 2).ok).toBe(true);
    expect(parseListing(`${titles}  -> 10.0.0.1:80 1 2\n`, 2).ok).toBe(false);
    expect(parseListing(`${titles}TCP  10.0.0.1:80 1 2\n  -> 10.0.0.1:80 1 x\n`, 2).ok).toBe(false);
    expect(parseListing(`${titles}what is this\n`, 2).ok).toBe(false);
  });

  it('gives up on a table that changes between the runs', async () => {
    const run: RunProgram = (args) => {
      const stdout = args[0] === '--save' ? '-A -t 10.0.0.1:80 -s wlc\n-a -t 10.0.0.1:80 -r 10.0.0.2:80 -m -w 1\n' : '';
      return Promise.resolve(ok({ status: 0, stdout, stderr: '' }));
    };
    const state = await new IpvsadmDataplane({ run }).read();
    expect(state.ok ? '' : state.error.message).toContain('changed under');
  });
});

describe('rendering', () => {
  it('writes services and reals as ipvsadm-save(8) would', () => {
    // Our own way to say flags, masks and thresholds is longer than what --save prints.
    const shortened = (line: string): string => line.replace(/ -x \d+ -y \d+/, '').replace(' -M 255.255.255.255', '');
    for (const { value, saved } of REALS) {
      const words = shortened(renderOp(addReal(WEB, value)) ?? '')
        .split(' ')
        .toSorted();
      expect(words).toEqual(`-a -t 192.0.2.1:80 -r ${saved}`.split(' ').toSorted());
    }
    for (const { value, saved } of REALS6) {
      const words = shortened(renderOp(addReal(WEB6, value)) ?? '')
        .split(' ')
        .toSorted();
      expect(words).toEqual(`-a -t [2001:db8::1]:80 -r ${saved}`.split(' ').toSorted());
    }
    for (const { value } of SERVICES) {
      const parsed = parseSaved(renderOp(addService(value)) ?? '');
      expect(parsed.ok && [...parsed.value.values()].map((each) => each.service)).toEqual([value]);
    }
  });

  it('has no words for the local method', () => {
    expect(renderOp(addReal(WEB, real('10.0.0.1', 80, { forwarding: { method: 'local' } })))).toBeNull();
  });
});

describe('applying', () => {
  const newService = addService(service(WEB));
  const newReal = addReal(WEB, real('10.0.0.1', 80));
  const RECORDED = match('tcp', '10.0.0.1', 80);

  it('feeds a whole plan to one run', async () => {
    const { fed, dataplane } = recorded();
    const report = await dataplane.apply([newService, newReal]);
    expect(report).toEqual({ applied: [newService, newReal], failed: [], lost: null });
    expect(fed).toEqual(['-A -t 192.0.2.1:80 -s wlc\n-a -t 192.0.2.1:80 -r 10.0.0.1:80 -m -w 1 -x 0 -y 0\n']);
  });

  it('starts no process for an empty plan or one that nothing could take', async () => {
    const { fed, dataplane } = recorded();
    await dataplane.apply([]);
    const report = await dataplane.apply([addReal(WEB, real('10.0.0.1', 80, { forwarding: { method: 'local' } }))]);
    expect(report.failed.map(({ error }) => errnoOf(error))).toEqual(['EOPNOTSUPP']);
    expect(fed).toEqual([]);
  });

  it('finds out from the table which lines failed, even when the last one succeeded', async () => {
    // The recorded table never changes, so whatever it holds counts as done and the rest as missing.
    const stderr = 'Service already exists\nNo such destination\nScheduler or persistence engine not found';
    const { fed, dataplane } = recorded(() => Promise.resolve(ok({ status: 0, stdout: '', stderr })));
    const plan = [
      addService(service(RECORDED)),
      deleteReal(RECORDED, '10.9.9.9', 80),
      editService(service(RECORDED, { scheduler: 'nosuch' })),
    ];
    const report = await dataplane.apply(plan);
    expect(report.lost).toBeNull();
    expect(report.failed.map(({ op, error }) => [op.kind, errnoOf(error)])).toEqual([
      ['addService', 'EEXIST'],
      ['deleteDestination', 'ENOENT'],
      ['editService', 'ENOENT'],
    ]);
    expect(fed.length).toBe(1);
  });

  it('goes on behind a line at which ipvsadm stopped', async () => {
    let runs = 0;
    const table = { service: false };
    const run: RunProgram = (args, input) => {
      if (args[0] === '--restore') {
        runs++;
        // The first line is one that this ipvsadm cannot parse.
        if (input?.startsWith('-A -t 192.0.2.1:80') === true) {
          return Promise.resolve(ok({ status: 2, stdout: '', stderr: "invalid option `--tun'" }));
        }
        table.service = true;
        return Promise.resolve(ok({ status: 0, stdout: '', stderr: '' }));
      }
      const stdout = table.service ? '-A -u 192.0.2.1:53 -s wlc\n' : '';
      return Promise.resolve(ok({ status: 0, stdout: args[0] === '--save' ? stdout : '', stderr: '' }));
    };
    const dns = addService(service(match('udp', '192.0.2.1', 53)));
    const report = await new IpvsadmDataplane({ run }).apply([newService, dns]);
    expect(report.applied).toEqual([dns]);
    expect(report.failed.map(({ op }) => op)).toEqual([newService]);
    expect(report.failed[0]?.error.message).toContain('invalid option');
    // The plan, its first line alone, the rest.
    expect(runs).toBe(3);
  });

  it('says that the outcome is lost when ipvsadm does not end', async () => {
    const killed = new CodedError('IPVSADM_FAILED', 'killed after 60 s', { transient: true });
    const { dataplane } = recorded(() => Promise.resolve(err(killed)));
    const report = await dataplane.apply([newService]);
    expect(report).toEqual({ applied: [], failed: [], lost: killed });
  });
});
