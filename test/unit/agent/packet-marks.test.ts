import { describe, expect, it } from 'vitest';
import { newCounters } from '../../../src/agent/counters.ts';
import { MarkDriver } from '../../../src/agent/mark-driver.ts';
import { emptyJournal } from '../../../src/agent/policy/journal.ts';
import type { Journal } from '../../../src/agent/policy/journal.ts';
import { packetMarks } from '../../../src/agent/policy/marks.ts';
import type { Effective } from '../../../src/agent/policy/effective-state.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { err, ok } from '../../../src/core/result.ts';
import type { Result } from '../../../src/core/result.ts';
import { CodedError } from '../../../src/core/errors.ts';
import type { PacketMark, PacketMarks } from '../../../src/ipvs/packet-marks.ts';
import {
  addService,
  address,
  deleteService,
  fwmark,
  service as kernelService,
} from '../../contract/dataplane-samples.ts';
import { configuration, service, vip } from '../../fakes/configurations.ts';

const MARK = { ports: [{ first: 80, last: 80 }], protocols: ['tcp', 'udp'] as const };
const VIPS = [vip('web', ['192.0.2.10', '2001:db8::10'])];

describe('the packets that services ask to be marked', () => {
  it('are those to the addresses of the VIP, in the families of the service', () => {
    const marked = service('marked', [], {
      vip: 'web',
      match: { kind: 'fwmark', fwmark: 7, families: ['ipv4'], mark: MARK },
    });
    const by = service('by-operator', [], { vip: 'web', match: { kind: 'fwmark', fwmark: 8, families: ['ipv4'] } });
    const off = { ...marked, name: 'off', state: 'disabled' as const };
    expect(packetMarks(configuration([marked, by, off], { vips: VIPS }))).toEqual([
      { fwmark: 7, address: '192.0.2.10', protocol: 'tcp', ports: MARK.ports },
      { fwmark: 7, address: '192.0.2.10', protocol: 'udp', ports: MARK.ports },
    ]);
  });

  it('are those to every port where port 0 is named', () => {
    const mark = { ports: [{ first: 0, last: 0 }], protocols: ['tcp'] as const };
    const all = service('all', [], { vip: 'web', match: { kind: 'fwmark', fwmark: 7, families: ['ipv6'], mark } });
    expect(packetMarks(configuration([all], { vips: VIPS }))).toEqual([
      { fwmark: 7, address: '2001:db8::10', protocol: 'tcp', ports: [] },
    ]);
  });
});

describe('the mark driver', () => {
  const one: PacketMark = { fwmark: 7, address: address('192.0.2.10'), protocol: 'tcp', ports: [] };
  const mark = fwmark(7, 'ipv4');
  const journal: Journal = {
    ...emptyJournal,
    services: { 'fwmark|ipv4|7': { service: 'web', leaving: null, destinations: {} } },
  };
  const effective = (marks: readonly PacketMark[]): Effective => ({
    revision: '',
    services: new Map(),
    kernel: new Map(),
    vips: new Map(),
    marks,
    nextChangeMs: null,
  });

  function world(answer: Result<boolean, CodedError> = ok(true)) {
    const asked: string[] = [];
    const marks: PacketMarks = {
      apply: (wanted, leaving) => {
        asked.push(`${wanted.length} wanted, leaving ${[...leaving].join()}`);
        return Promise.resolve(answer);
      },
    };
    const counters = newCounters();
    const driver = new MarkDriver({ counters, log: silentLog });
    const failures: string[] = [];
    const follow = (
      wanted: readonly PacketMark[],
      readAt: number,
      programmed = { journal, services: [addService(kernelService(mark))] },
    ) => driver.follow(marks, effective(wanted), programmed, readAt, failures);
    return { asked, counters, failures, follow };
  }

  it('asks once for each change and each reading of the kernel', async () => {
    const { asked, follow, counters } = world();
    await follow([one], 1);
    await follow([one], 1);
    await follow([one], 2);
    await follow([], 2);
    expect(asked).toEqual([
      '1 wanted, leaving fwmark|ipv4|7',
      '1 wanted, leaving fwmark|ipv4|7',
      '0 wanted, leaving fwmark|ipv4|7',
    ]);
    expect(counters.operations).toBe(3);
  });

  it('asks no more when there is nothing to mark', async () => {
    const { asked, follow } = world(ok(false));
    const nothing = { journal: emptyJournal, services: [] };
    for (const readAt of [1, 2, 3]) await follow([], readAt, nothing);
    expect(asked).toEqual(['0 wanted, leaving ']);
  });

  it('lets marks go in the pass that deletes their kernel service', async () => {
    const { asked, follow } = world();
    await follow([], 1, { journal, services: [deleteService(mark)] });
    expect(asked).toEqual(['0 wanted, leaving ']);
  });

  it('reports a failure, and asks again', async () => {
    const { asked, follow, failures } = world(err(new CodedError('NFT_FAILED', 'no')));
    await follow([one], 1);
    await follow([one], 1);
    expect([asked.length, failures]).toEqual([2, ['packet marks: no', 'packet marks: no']]);
  });
});
