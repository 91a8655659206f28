import { describe, expect, it } from 'vitest';
import { newCounters } from '../../../src/agent/counters.ts';
import { MarkDriver } from '../../../src/agent/mark-driver.ts';
import { emptyJournal } from '../../../src/agent/policy/journal.ts';
import type { Journal } from '../../../src/agent/policy/journal.ts';
import { leavingMarks, marksLeftBehind, packetMarks } from '../../../src/agent/policy/marks.ts';
import type { DesiredService } from '../../../src/agent/policy/desired-state.ts';
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
import { Decisions } from '../../fakes/decisions.ts';

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

describe('marks at an address that its service has left', () => {
  const key = 'fwmark|ipv4|7';
  const old = address('192.0.2.9');
  const left = (movedAt: number | null): Journal => ({
    ...emptyJournal,
    addresses: {
      [`lo|${old}`]: { interface: 'lo', address: old, marks: { [key]: movedAt, 'fwmark|ipv6|7': movedAt } },
    },
  });
  const on = (...services: readonly DesiredService[]): Effective => {
    return new Decisions().decide(configuration(services, { vips: [vip('web', ['192.0.2.10', '192.0.2.11'])] }));
  };
  const match = { kind: 'fwmark', fwmark: 7, families: ['ipv4'], mark: MARK } as const;
  const marked = service('marked', [], { vip: 'web', match });

  it('are those that it asks for now, as long as the address has its time', () => {
    expect(marksLeftBehind(on(marked), left(5))).toEqual([
      { fwmark: 7, address: old, protocol: 'tcp', ports: MARK.ports },
      { fwmark: 7, address: old, protocol: 'udp', ports: MARK.ports },
    ]);
    expect(marksLeftBehind(on(marked), left(null))).toEqual([]);
    expect(marksLeftBehind(on(marked), emptyJournal)).toEqual([]);
    // Rules of the operator's set it, or another service has it.
    const byOperator = { kind: 'fwmark', fwmark: 7, families: ['ipv4'] } as const;
    expect(marksLeftBehind(on({ ...marked, match: byOperator }), left(5))).toEqual([]);
    expect(marksLeftBehind(on({ ...marked, match: { ...match, fwmark: 8 } }), left(5))).toEqual([]);
  });

  it('cost nothing to find in a journal that says nothing new, however much is in it', () => {
    let looks = 0;
    const counted = <T extends object>(part: T): T =>
      new Proxy(part, {
        ownKeys: (target) => {
          looks += 1;
          return Reflect.ownKeys(target);
        },
      });
    const { addresses } = left(5);
    const journal: Journal = { addresses: counted(addresses), services: counted({}) };
    const effective = on(marked);
    const pass = () => [marksLeftBehind(effective, journal).length, leavingMarks(effective, journal, []).size];
    expect([pass(), pass(), looks]).toEqual([[2, 0], [2, 0], 2]);
  });

  it('give way to whatever service is there by now', () => {
    const vips = [vip('web', ['192.0.2.10']), vip('old', [old])];
    const decide = (other: DesiredService) => new Decisions().decide(configuration([marked, other], { vips }));
    const byPorts = service('other', [], { vip: 'old' });
    expect(marksLeftBehind(decide(byPorts), left(5))).toEqual([]);
    const byMark = service('other', [], { vip: 'old', match: { ...match, fwmark: 8 } });
    expect(marksLeftBehind(decide(byMark), left(5))).toEqual([]);
    expect(marksLeftBehind(decide({ ...byPorts, state: 'disabled' }), left(5))).toHaveLength(2);
  });

  it('of a service that leaves stay, unless its record takes its packets along', () => {
    const journal: Journal = {
      ...emptyJournal,
      services: { [key]: { service: 'marked', leaving: null, destinations: {} } },
    };
    const leaving = (effective: Effective) => [...leavingMarks(effective, journal, [])];
    expect(leaving(on())).toEqual([key]);
    expect(leaving(on({ ...marked, state: 'disabled' }))).toEqual([key]);
    expect(leaving(on(service('other', [], { vip: 'web' })))).toEqual([key]);
    expect(leaving(on(marked))).toEqual([]);
    expect(leaving(on({ ...marked, match: { ...match, fwmark: 8 } }))).toEqual([]);
    expect(leaving(on(service('marked', [], { vip: 'web' })))).toEqual([]);
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
