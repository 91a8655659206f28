import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { destinationKeyOf, matchOf, serviceKeyOf } from '../../src/ipvs/dataplane.ts';
import type {
  Dataplane,
  DataplaneInfo,
  DataplaneOp,
  DataplaneState,
  KernelDestination,
} from '../../src/ipvs/dataplane.ts';
import type { KernelService, ServiceMatch } from '../../src/ipvs/dataplane.ts';
import { errnoOf } from '../../src/ipvs/kernel-refusal.ts';
import {
  addReal,
  addService,
  deleteReal,
  deleteService,
  DNS,
  editReal,
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
} from './dataplane-samples.ts';

export interface ContractSubject {
  create(): Promise<Dataplane>;
  /** Empties the table by other means than the dataplane, before each test. */
  reset(): Promise<void>;
  /** What an independent tool says is in the table, if there is one: lines of `ipvsadm --save --numeric`. */
  saved?(): Promise<string[]>;
  /** What it tells about itself. */
  readonly info: DataplaneInfo;
  /** Operations that ask for what it does not offer: it must refuse each with EOPNOTSUPP. Absent = it offers all. */
  readonly cannot?: (op: DataplaneOp) => boolean;
  /** How it refuses a scheduler that nobody has heard of. */
  readonly unknownScheduler?: { readonly errno: string; readonly advice: string };
  /** Reals of the big batch. */
  readonly manyReals: number;
}

/** As the kernel says it, when it has no such module. */
const NO_MODULE = { errno: 'ENOENT', advice: 'modprobe ip_vs_nosuch' };

/** A dataplane that hands everything to the one that is current, for subjects that make a new one at each reset. */
export function forwarder(name: string, current: () => Dataplane | undefined): Dataplane {
  const target = (): Dataplane => {
    const dataplane = current();
    if (dataplane === undefined) throw new Error('used before the first reset');
    return dataplane;
  };
  return {
    name,
    read: () => target().read(),
    readServices: (matches) => target().readServices(matches),
    info: () => target().info(),
    apply: (ops) => target().apply(ops),
    close: () => target().close(),
  };
}

const ALLOWED = expect.stringContaining('allowed: ') as string;

/** What every Dataplane must do, whatever stands behind it. */
export function describeDataplaneContract(name: string, subject: ContractSubject): void {
  const { cannot = () => false, unknownScheduler = NO_MODULE } = subject;
  const offers = (op: DataplaneOp): boolean => !cannot(op);
  describe(`dataplane contract: ${name}`, () => {
    let dataplane: Dataplane;
    beforeAll(async () => {
      dataplane = await subject.create();
    });
    afterAll(() => dataplane.close());
    beforeEach(() => subject.reset());

    async function read(): Promise<DataplaneState> {
      const state = await dataplane.read();
      if (!state.ok) throw state.error;
      return state.value;
    }

    /** Applies what must succeed. */
    async function apply(...ops: DataplaneOp[]): Promise<void> {
      const report = await dataplane.apply(ops);
      expect(report.failed.map(({ error }) => error.message)).toEqual([]);
      expect(report.lost).toBeNull();
      expect(report.applied).toEqual(ops);
    }

    async function errnoOfLast(...ops: DataplaneOp[]): Promise<string | null> {
      const report = await dataplane.apply(ops);
      expect(report.lost).toBeNull();
      expect(report.applied).toEqual(ops.slice(0, -1));
      expect(report.failed.map(({ op }) => op)).toEqual(ops.slice(-1));
      return errnoOf(report.failed[0]?.error);
    }

    async function serviceIn(of: ServiceMatch): Promise<KernelService | undefined> {
      return (await read()).get(serviceKeyOf(of))?.service;
    }

    async function realsOf(of: ServiceMatch): Promise<KernelDestination[]> {
      const found = (await read()).get(serviceKeyOf(of))?.destinations.values() ?? [];
      return Array.from(found, ({ destination }) => destination);
    }

    const sorted = (reals: readonly KernelDestination[]): KernelDestination[] =>
      reals.toSorted((a, b) => (destinationKeyOf(a) < destinationKeyOf(b) ? -1 : 1));

    it('reads an empty table as empty', async () => {
      expect((await read()).size).toBe(0);
    });

    it('does nothing for an empty plan', async () => {
      expect(await dataplane.apply([])).toEqual({ applied: [], failed: [], lost: null });
    });

    it('reads some services as it reads all, and leaves out what is not there', async () => {
      const mark = fwmark(7, 'ipv6');
      await apply(
        addService(service(WEB)),
        addReal(WEB, real('10.0.0.1', 80)),
        addReal(WEB, real('10.0.0.2', 80)),
        addService(service(DNS)),
        addReal(DNS, real('10.0.0.3', 53)),
        addService(service(mark)),
      );
      const all = await read();
      const some = await dataplane.readServices([mark, match('tcp', '192.0.2.200', 80), WEB]);
      if (!some.ok) throw some.error;
      expect([...some.value.keys()]).toEqual([mark, WEB].map(serviceKeyOf));
      for (const [key, actual] of some.value) expect(actual).toEqual(all.get(key));
      expect(await dataplane.readServices([])).toEqual({ ok: true, value: new Map() });
    });

    it('tells about itself', async () => {
      expect(await dataplane.info()).toEqual({ ok: true, value: subject.info });
    });

    it('adds services of every kind, as an independent reader sees them', async () => {
      const samples = SERVICES.filter(({ value }) => offers(addService(value)));
      await apply(...samples.map(({ value }) => addService(value)));
      const state = await read();
      expect(state.size).toBe(samples.length);
      for (const { value } of samples) {
        const actual = state.get(serviceKeyOf(value.match));
        expect(actual?.service).toEqual(value);
        expect(actual?.stats.connections).toBe(0n);
      }
      const lines = await subject.saved?.();
      if (lines !== undefined) expect(lines.toSorted()).toEqual(SERVICES.map(({ saved }) => saved).toSorted());
    });

    if (subject.cannot !== undefined) {
      it('refuses what it does not offer with EOPNOTSUPP, and says what is allowed instead', async () => {
        await apply(addService(service(WEB)), addService(service(WEB6)));
        const ops = [
          ...SERVICES.map(({ value }) => addService(value)),
          ...REALS.map(({ value }) => addReal(WEB, value)),
          ...REALS6.map(({ value }) => addReal(WEB6, value)),
        ].filter(cannot);
        const { failed, applied } = await dataplane.apply(ops);
        expect([applied, failed.map(({ op }) => op)]).toEqual([[], ops]);
        for (const { error } of failed) expect([errnoOf(error), error.message]).toEqual(['EOPNOTSUPP', ALLOWED]);
        expect((await read()).size).toBe(2);
      });
    }

    it('adds reals of every kind, as an independent reader sees them', async () => {
      const reals = REALS.map(({ value }) => value).filter((value) => offers(addReal(WEB, value)));
      const reals6 = REALS6.map(({ value }) => value).filter((value) => offers(addReal(WEB6, value)));
      await apply(addService(service(WEB)), ...reals.map((value) => addReal(WEB, value)));
      await apply(addService(service(WEB6)), ...reals6.map((value) => addReal(WEB6, value)));
      expect(sorted(await realsOf(WEB))).toEqual(sorted(reals));
      expect(sorted(await realsOf(WEB6))).toEqual(sorted(reals6));
      const lines = await subject.saved?.();
      if (lines === undefined) return;
      const expected = [
        ...REALS.map(({ saved }) => `-a -t 192.0.2.1:80 -r ${saved}`),
        ...REALS6.map(({ saved }) => `-a -t [2001:db8::1]:80 -r ${saved}`),
      ];
      expect(lines.filter((line) => line.startsWith('-a')).toSorted()).toEqual(expected.toSorted());
    });

    it('adds reals to firewall marks of both families, with and without a port', async () => {
      const four = fwmark(9, 'ipv4');
      const six = fwmark(9, 'ipv6');
      const direct = real('10.0.0.1', 0, { forwarding: { method: 'direct' } });
      const fields = offers(addReal(four, direct)) ? { forwarding: direct.forwarding } : {};
      await apply(
        addService(service(four)),
        addService(service(six)),
        addReal(four, real('10.0.0.1', 0, fields)),
        addReal(four, real('10.0.0.2', 8080)),
        addReal(six, real('2001:db8:1::1', 0, fields)),
      );
      expect((await realsOf(four)).map(destinationKeyOf).toSorted()).toEqual(['10.0.0.1|0', '10.0.0.2|8080']);
      expect((await realsOf(six)).map(destinationKeyOf)).toEqual(['2001:db8:1::1|0']);
    });

    it('edits every attribute of a service in place, and its reals stay', async () => {
      const edits: Partial<KernelService>[] = [
        { scheduler: 'sh', schedulerFlags: 1 },
        { scheduler: 'wlc', schedulerFlags: 2 },
        { persistence: { timeoutSeconds: 100, prefixLength: 16 } },
        { persistence: { timeoutSeconds: 200, prefixLength: 32 }, persistenceEngine: 'sip' },
        { onePacket: true },
        {},
      ];
      const before: Partial<KernelService> = { schedulerFlags: 4, persistence: { timeoutSeconds: 9, prefixLength: 8 } };
      const wanted = edits
        .map((edit, index) => service(match('udp', `192.0.2.${index + 1}`, 53), edit))
        .filter((each) => offers(editService(each)));
      expect(wanted.length).toBeGreaterThan(3);
      await apply(
        ...wanted.flatMap(({ match: of }) => [addService(service(of, before)), addReal(of, real('10.0.0.1', 53))]),
      );
      await apply(...wanted.map(editService));
      const state = await read();
      for (const each of wanted) {
        const actual = state.get(serviceKeyOf(each.match));
        expect(actual?.service).toEqual(each);
        expect([...(actual?.destinations.keys() ?? [])]).toEqual(['10.0.0.1|53']);
      }
    });

    it('edits every attribute of a real in place', async () => {
      const edits: Partial<KernelDestination>[] = [
        { weight: 0 },
        { weight: 7, upperThreshold: 100, lowerThreshold: 80 },
        { forwarding: { method: 'direct' } },
        { forwarding: tunnel('gue', 6080, 'full') },
        { forwarding: tunnel('gue', 6081) },
        { forwarding: tunnel('ipip') },
        {},
      ];
      const everything = { weight: 3, upperThreshold: 9, lowerThreshold: 5, forwarding: tunnel('gre', 0, 'full') };
      const before = offers(addReal(WEB, real('10.0.0.1', 80, everything))) ? everything : { weight: 3 };
      const wanted = edits
        .map((edit, index) => real(`10.0.0.${index + 1}`, 80, edit))
        .filter((each) => offers(editReal(WEB, each)));
      expect(wanted.length).toBeGreaterThan(1);
      await apply(addService(service(WEB)), ...wanted.map((each) => addReal(WEB, { ...each, ...before })));
      await apply(...wanted.map((each) => editReal(WEB, each)));
      expect(sorted(await realsOf(WEB))).toEqual(sorted(wanted));
    });

    it('deletes reals, and services with their reals', async () => {
      const far = addReal(WEB, real('2001:db8:1::1', 80, { forwarding: tunnel('ipip') }));
      await apply(
        addService(service(WEB)),
        addReal(WEB, real('10.0.0.1', 80)),
        addReal(WEB, real('10.0.0.2', 80)),
        ...[far].filter(offers),
      );
      await apply(deleteReal(WEB, '10.0.0.1', 80), ...(offers(far) ? [deleteReal(WEB, '2001:db8:1::1', 80)] : []));
      expect((await realsOf(WEB)).map(destinationKeyOf)).toEqual(['10.0.0.2|80']);
      await apply(deleteService(WEB));
      expect((await read()).size).toBe(0);
      await apply(addService(service(WEB)));
      expect(await realsOf(WEB)).toEqual([]);
    });

    it('refuses what exists already with EEXIST', async () => {
      const web = addService(service(WEB));
      expect(await errnoOfLast(web, web)).toBe('EEXIST');
      const one = addReal(WEB, real('10.0.0.1', 80));
      expect(await errnoOfLast(one, one)).toBe('EEXIST');
      expect(await errnoOfLast(addReal(WEB, real('10.0.0.1', 80, { weight: 9 })))).toBe('EEXIST');
    });

    it('refuses work on a missing service with ESRCH', async () => {
      expect(await errnoOfLast(editService(service(WEB)))).toBe('ESRCH');
      expect(await errnoOfLast(deleteService(WEB))).toBe('ESRCH');
      expect(await errnoOfLast(addReal(WEB, real('10.0.0.1', 80)))).toBe('ESRCH');
      expect(await errnoOfLast(editReal(WEB, real('10.0.0.1', 80)))).toBe('ESRCH');
      expect(await errnoOfLast(deleteReal(WEB, '10.0.0.1', 80))).toBe('ESRCH');
    });

    it('refuses work on a missing real with ENOENT', async () => {
      expect(await errnoOfLast(addService(service(WEB)), editReal(WEB, real('10.0.0.1', 80)))).toBe('ENOENT');
      expect(await errnoOfLast(deleteReal(WEB, '10.0.0.1', 80))).toBe('ENOENT');
    });

    it('refuses an unknown scheduler or persistence engine, and says what to do about it', async () => {
      const { errno, advice } = unknownScheduler;
      expect(await errnoOfLast(addService(service(WEB, { scheduler: 'nosuch' })))).toBe(errno);
      const report = await dataplane.apply([addService(service(WEB, { scheduler: 'nosuch' }))]);
      expect(report.failed[0]?.error.message).toContain(advice);
      await apply(addService(service(WEB)));
      expect(await errnoOfLast(editService(service(WEB, { scheduler: 'nosuch' })))).toBe(errno);
      const engine = { persistence: { timeoutSeconds: 9, prefixLength: 32 }, persistenceEngine: 'nosuch' };
      expect(await errnoOfLast(editService(service(WEB, engine)))).toBe(errno);
      expect(await serviceIn(WEB)).toEqual(service(WEB));
    });

    it('refuses values that no table takes, each with a reason', async () => {
      await apply(addService(service(WEB)));
      const refused: readonly (readonly [DataplaneOp, string])[] = [
        [addService(service(match('tcp', '192.0.2.9', 0))), 'EINVAL'],
        [addService(service(match('tcp', '192.0.2.9', 80), { onePacket: true })), 'EINVAL'],
        [addService(service(fwmark(0, 'ipv4'))), 'EINVAL'],
        [addReal(WEB, real('10.0.0.9', 80, { weight: -1 })), 'ERANGE'],
        [addReal(WEB, real('10.0.0.9', 80, { weight: 2 ** 31 })), 'ERANGE'],
        [addReal(WEB, real('10.0.0.9', 80, { weight: 1.5 })), 'ERANGE'],
        [addReal(WEB, real('10.0.0.9', 80, { upperThreshold: 1, lowerThreshold: 2 })), 'ERANGE'],
        [addReal(WEB, real('2001:db8:1::9', 80)), 'EINVAL'],
        [addReal(WEB, real('10.0.0.9', 80, { forwarding: tunnel('gue', 0) })), 'EINVAL'],
        [addReal(WEB, real('10.0.0.9', 81, { forwarding: { method: 'direct' } })), 'EINVAL'],
        [addReal(WEB, real('224.0.0.1', 80)), 'EINVAL'],
        [addReal(WEB, real('0.0.0.0', 80)), 'EINVAL'],
        [addReal(WEB, real('10.0.0.9', 70_000)), 'EINVAL'],
      ];
      for (const [op, errno] of refused) expect(await errnoOfLast(op)).toBe(errno);
      expect((await read()).size).toBe(1);
      expect(await realsOf(WEB)).toEqual([]);
    });

    it('goes on after a failure, and says of each operation what became of it', async () => {
      const gone = match('tcp', '192.0.2.200', 80);
      const lost = match('tcp', '192.0.2.201', 80);
      const good = [
        addService(service(WEB)),
        addReal(WEB, real('10.0.0.1', 80)),
        addReal(WEB, real('10.0.0.2', 80)),
        addService(service(DNS)),
        addReal(DNS, real('10.0.0.3', 53)),
      ];
      const bad = [
        addService(service(lost, { scheduler: 'nosuch' })),
        addReal(lost, real('10.0.0.1', 80)),
        addReal(lost, real('10.0.0.2', 80)),
        deleteService(gone),
        addReal(WEB, real('10.0.0.1', 80)),
        deleteReal(WEB, '10.0.0.77', 80),
        addReal(WEB, real('224.0.0.1', 80)),
      ];
      const [a, b, c, d, e] = good;
      const [p, q, r, s, t, u, v] = bad;
      const plan = [p, a, q, b, s, t, r, u, c, v, d, e].filter((op) => op !== undefined);
      const report = await dataplane.apply(plan);
      expect(report.lost).toBeNull();
      expect(new Set(report.applied)).toEqual(new Set(good));
      expect(new Map(report.failed.map(({ op, error }) => [op, errnoOf(error)]))).toEqual(
        new Map([
          [p, unknownScheduler.errno],
          [q, 'ESRCH'],
          [r, 'ESRCH'],
          [s, 'ESRCH'],
          [t, 'EEXIST'],
          [u, 'ENOENT'],
          [v, 'EINVAL'],
        ]),
      );
      expect((await realsOf(WEB)).length).toBe(2);
      expect((await realsOf(DNS)).length).toBe(1);
    });

    it(`applies and reads ${subject.manyReals} reals`, async () => {
      const perService = 100;
      const ops = Array.from({ length: subject.manyReals / perService }, (_, index) => {
        const of = match('tcp', `198.51.100.${index + 1}`, 80);
        const reals = Array.from({ length: perService }, (__, n) => addReal(of, real(`10.1.${index}.${n + 1}`, 8080)));
        return [addService(service(of)), ...reals];
      }).flat();
      await apply(...ops);
      const state = await read();
      const held = [...state.values()].reduce((sum, each) => sum + each.destinations.size, 0);
      expect([state.size, held]).toEqual([subject.manyReals / perService, subject.manyReals]);
      for (const op of ops) if (op.kind === 'addService') expect(state.has(serviceKeyOf(matchOf(op)))).toBe(true);
    });
  });
}
