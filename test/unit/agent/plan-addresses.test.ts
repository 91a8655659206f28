import { describe, expect, it } from 'vitest';
import type { Effective, EffectiveVip } from '../../../src/agent/policy/effective-state.ts';
import { emptyJournal } from '../../../src/agent/policy/journal.ts';
import type { Journal } from '../../../src/agent/policy/journal.ts';
import { applyAddressOps } from '../../../src/agent/policy/kernel-state.ts';
import { planAddresses } from '../../../src/agent/policy/plan-addresses.ts';
import type { AddressPlanInput } from '../../../src/agent/policy/plan-addresses.ts';
import type { InterfaceAddress } from '../../../src/ipvs/addresses.ts';
import type { DataplaneOp } from '../../../src/ipvs/dataplane.ts';
import type { IpAddress } from '../../../src/model/address.ts';

const ONE = '192.0.2.10' as IpAddress;
const SIX = '2001:db8::10' as IpAddress;
const NOW = 1_000_000;
const DRAIN_MS = 60_000;
const there = (address: IpAddress, name = 'lo', prefixLength = 32, marked = false): InterfaceAddress => ({
  interface: name,
  address,
  prefixLength,
  marked,
});
const ours = (...addresses: readonly IpAddress[]): Journal => ({
  ...emptyJournal,
  addresses: Object.fromEntries(addresses.map((address) => [`lo|${address}`, { interface: 'lo', address }])),
});

function planned(
  addresses: readonly IpAddress[],
  input: Partial<AddressPlanInput> & { readonly interface?: string | null } = {},
) {
  const { interface: name = 'lo', ...rest } = input;
  const vip: EffectiveVip = { name: 'shop', addresses, interface: name, services: ['web'], withdrawn: null };
  const vips = new Map(addresses.length === 0 ? [] : [['shop', vip]]);
  const effective: Effective = {
    revision: '',
    services: new Map(),
    kernel: new Map(),
    vips,
    marks: [],
    nextChangeMs: null,
  };
  const common = { actual: [], journal: emptyJournal, serviceOps: [], drainTimeoutMs: DRAIN_MS, now: NOW };
  const result = planAddresses({ effective, ...common, ...rest });
  return { ...result, ops: result.ops.map((op) => `${op.kind} ${op.interface} ${op.address}`) };
}

describe('addresses of VIPs', () => {
  it('are added, and noted as ours before that', () => {
    const { ops, journal } = planned([ONE, SIX]);
    expect(ops).toEqual(['addAddress lo 192.0.2.10', 'addAddress lo 2001:db8::10']);
    expect(journal.addresses).toEqual(ours(ONE, SIX).addresses);
  });

  it('that are there before us are used, and never ours', () => {
    const used = planned([ONE], { actual: [there(ONE, 'lo', 24)] });
    expect(used).toMatchObject({ ops: [], journal: { addresses: {} }, borrowed: [{ interface: 'lo', address: ONE }] });
    expect(planned([], { actual: [there(ONE)] }).ops).toEqual([]);
  });

  it('with which nothing is left to do are looked into again when something about them is another', () => {
    const journal = ours(ONE);
    const actual = [there(ONE, 'lo', 32, true)];
    const { settled } = planned([ONE], { journal, actual });
    const vips = settled?.vips ?? new Map<string, EffectiveVip>();
    const effective: Effective = {
      revision: '',
      services: new Map(),
      kernel: new Map(),
      vips,
      marks: [],
      nextChangeMs: 1,
    };
    const common = { effective, journal, actual, serviceOps: [], settled, drainTimeoutMs: DRAIN_MS, now: NOW };
    const nothing = { ops: [], borrowed: [], leaving: [], nextChangeMs: null };
    expect(planAddresses(common)).toEqual({ ...nothing, journal, settled });
    expect(planAddresses(common).settled).toBe(settled);
    expect(planAddresses({ ...common, actual: [] }).ops).toMatchObject([{ kind: 'addAddress', address: ONE }]);
    expect(planAddresses({ ...common, journal: emptyJournal }).journal).toEqual(journal);
    const others = { ...effective, vips: new Map() };
    expect(planAddresses({ ...common, effective: others }).ops).toMatchObject([{ kind: 'deleteAddress' }]);
    // What waits for its service to end is never done with.
    expect(planned([], { journal, actual }).settled).toBeNull();
  });

  it('which a service by mark has left are looked into until that is over, though they are wanted', () => {
    const key = 'fwmark|ipv4|7';
    const marks = { [key]: NOW - 1 };
    const leaving = { service: 'web', leaving: { since: 1, until: 2, quietAt: 1 }, destinations: {} };
    const addresses = { [`lo|${ONE}`]: { interface: 'lo', address: ONE, marks } };
    const actual = [there(ONE, 'lo', 32, true)];
    const journal: Journal = { ...emptyJournal, services: { [key]: leaving }, addresses };
    expect(planned([ONE], { journal, actual })).toMatchObject({ ops: [], journal, settled: null, nextChangeMs: null });
    const over = planned([ONE], { journal: { ...journal, services: {} }, actual });
    expect(over.journal.addresses).toEqual(ours(ONE).addresses);
    expect(planned([ONE], { journal: over.journal, actual }).settled).not.toBeNull();
  });

  it('that bear our mark are ours when they are wanted, though the journal was lost, and left alone when not', () => {
    const actual = [there(ONE, 'lo', 32, true)];
    const adopted = planned([ONE], { actual });
    expect(adopted).toMatchObject({ ops: [], journal: ours(ONE), borrowed: [] });
    expect(planned([], { actual, journal: adopted.journal }).ops).toEqual(['deleteAddress lo 192.0.2.10']);
    expect(planned([], { actual }).ops).toEqual([]);
  });

  it('of ours that are as they should be change nothing, not even the journal', () => {
    const journal = ours(ONE);
    const result = planned([ONE], { actual: [there(ONE)], journal });
    expect(result.ops).toEqual([]);
    expect(result.journal).toBe(journal);
  });

  it('of ours that somebody took away come back', () => {
    expect(planned([ONE], { journal: ours(ONE) }).ops).toEqual(['addAddress lo 192.0.2.10']);
  });

  it('of ours that nothing wants go, and are forgotten once they are gone', () => {
    const journal = ours(ONE);
    const result = planned([], { actual: [there(ONE)], journal });
    expect(result.ops).toEqual(['deleteAddress lo 192.0.2.10']);
    expect(result.journal).toBe(journal);
    expect(planned([], { journal }).journal.addresses).toEqual({});
  });

  it('stay while a kernel service of ours serves its last connections on them', () => {
    const leaving = { service: 'web', leaving: { since: 1, until: 2, quietAt: 1 }, destinations: {} };
    const journal = { ...ours(ONE, SIX), services: { [`tcp|${ONE}|80`]: leaving } };
    const actual = [there(ONE), there(SIX)];
    expect(planned([], { actual, journal }).ops).toEqual(['deleteAddress lo 2001:db8::10']);
    const match = { kind: 'address', family: 'ipv4', protocol: 'tcp', address: ONE, port: 80 } as const;
    const serviceOps: DataplaneOp[] = [{ kind: 'deleteService', match }];
    expect(planned([], { actual, journal, serviceOps }).ops).toEqual([
      'deleteAddress lo 192.0.2.10',
      'deleteAddress lo 2001:db8::10',
    ]);
  });

  it('stay while a kernel service by mark serves its last connections in their family: any may be what they need', () => {
    const leaving = { service: 'web', leaving: { since: 1, until: 2, quietAt: 1 }, destinations: {} };
    const journal = { ...ours(ONE, SIX), services: { 'fwmark|ipv4|7': leaving } };
    const actual = [there(ONE), there(SIX)];
    expect(planned([], { actual, journal }).ops).toEqual(['deleteAddress lo 2001:db8::10']);
    const serviceOps: DataplaneOp[] = [{ kind: 'deleteService', match: { kind: 'fwmark', family: 'ipv4', fwmark: 7 } }];
    expect(planned([], { actual, journal, serviceOps }).ops).toEqual([
      'deleteAddress lo 192.0.2.10',
      'deleteAddress lo 2001:db8::10',
    ]);
    // One that goes on has the addresses of its VIP, and needs no other.
    const staying = { ...journal, services: { 'fwmark|ipv4|7': { ...leaving, leaving: null } } };
    expect(planned([], { actual: [there(ONE)], journal: staying }).ops).toEqual(['deleteAddress lo 192.0.2.10']);
  });

  it('are on the new interface before they leave the old one', () => {
    const result = planned([ONE], { interface: 'eth0', actual: [there(ONE)], journal: ours(ONE) });
    expect(result.ops).toEqual(['addAddress eth0 192.0.2.10', 'deleteAddress lo 192.0.2.10']);
    expect(Object.keys(result.journal.addresses)).toEqual(['eth0|192.0.2.10', 'lo|192.0.2.10']);
  });

  it('that are served leave the old interface once they are seen on the new one, and not when they cannot be there', () => {
    const service = { service: 'web', leaving: null, destinations: {} };
    const journal = { ...ours(ONE), services: { [`tcp|${ONE}|80`]: service } };
    const first = planned([ONE], { interface: 'eth0', actual: [there(ONE)], journal });
    expect(first.ops).toEqual(['addAddress eth0 192.0.2.10']);
    expect(first.leaving).toEqual([{ interface: 'lo', address: ONE, until: null }]);
    const both = [there(ONE), there(ONE, 'eth0', 32, true)];
    const second = planned([ONE], { interface: 'eth0', actual: both, journal: first.journal });
    expect(second.ops).toEqual(['deleteAddress lo 192.0.2.10']);
    expect(second.leaving).toEqual([]);
  });

  it('are left to others where the record says so', () => {
    expect(planned([ONE], { interface: null, actual: [there(ONE)], journal: ours(ONE) }).ops).toEqual([
      'deleteAddress lo 192.0.2.10',
    ]);
  });

  it('are known after the operations without reading', () => {
    const add = { kind: 'addAddress', interface: 'lo', address: SIX } as const;
    const once = applyAddressOps([there(ONE)], [add, add]);
    expect(once).toEqual([there(ONE), there(SIX, 'lo', 128, true)]);
    expect(applyAddressOps(once, [{ ...add, kind: 'deleteAddress' }])).toEqual([there(ONE)]);
  });
});
