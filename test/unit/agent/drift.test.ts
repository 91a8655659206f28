import { describe, expect, it } from 'vitest';
import { drift } from '../../../src/agent/policy/drift.ts';
import { emptyJournal } from '../../../src/agent/policy/journal.ts';
import type { Journal } from '../../../src/agent/policy/journal.ts';
import type { InterfaceAddress } from '../../../src/ipvs/addresses.ts';
import type { ActualService, DataplaneState, KernelService, ServiceKey } from '../../../src/ipvs/dataplane.ts';
import { address } from '../../fakes/bgp-settings.ts';
import { kernelState } from '../../fakes/model-kernel.ts';

const WEB = 'tcp|192.0.2.1|80' as ServiceKey;
const BEFORE = { [WEB]: { '10.0.0.1|80': 10, '10.0.0.2|80': 10 } };
const OWNED: Journal = { services: { [WEB]: { service: 'web', leaving: null, destinations: {} } }, addresses: {} };

function found(before: DataplaneState, after: DataplaneState, journal = OWNED): string[] {
  const differences = drift({ services: before, addresses: [] }, { services: after, addresses: [] }, journal);
  return differences.map(({ kind, text }) => `${kind}: ${text}`);
}

function changed(state: DataplaneState, change: (service: ActualService) => ActualService): DataplaneState {
  return new Map([...state].map(([key, service]) => [key, change(service)]));
}

describe('drift', () => {
  it('is nothing between two pictures that are the same', () => {
    expect(found(kernelState(BEFORE), kernelState(BEFORE))).toEqual([]);
  });

  it('is a service that is gone, once, however many reals went with it', () => {
    expect(found(kernelState(BEFORE), new Map())).toEqual(['service-gone: service tcp 192.0.2.1:80 is gone']);
  });

  it('is a real that is gone, edited or added', () => {
    const after = kernelState({ [WEB]: { '10.0.0.1|80': 3, '10.0.0.9|80': 1 } });
    expect(found(kernelState(BEFORE), after)).toEqual([
      'real-edited: real 10.0.0.1:80 of tcp 192.0.2.1:80 was edited: weight 3 instead of 10',
      'real-gone: real 10.0.0.2:80 of tcp 192.0.2.1:80 is gone',
      'real-added: real 10.0.0.9:80 of tcp 192.0.2.1:80 was added',
    ]);
  });

  it('is another scheduler', () => {
    const edit = (service: KernelService): KernelService => ({ ...service, scheduler: 'rr' });
    const after = changed(kernelState(BEFORE), (each) => ({ ...each, service: edit(each.service) }));
    expect(found(kernelState(BEFORE), after)).toEqual(['service-edited: service tcp 192.0.2.1:80 was edited']);
  });

  it('is not what the kernel counts', () => {
    const after = changed(kernelState(BEFORE), (each) => ({
      ...each,
      stats: { ...each.stats, connections: 99n },
      destinations: new Map(
        [...each.destinations].map(([key, one]) => [
          key,
          { ...one, activity: { ...one.activity, activeConnections: 5 } },
        ]),
      ),
    }));
    expect(found(kernelState(BEFORE), after)).toEqual([]);
  });

  it('is not what happens to services that are not ours', () => {
    expect(found(kernelState(BEFORE), new Map(), emptyJournal)).toEqual([]);
  });

  it('is not a service of ours that has not been there before', () => {
    expect(found(new Map(), kernelState(BEFORE))).toEqual([]);
  });

  it('is a real with another way of forwarding', () => {
    const after = changed(kernelState(BEFORE), (each) => ({
      ...each,
      destinations: new Map(
        [...each.destinations].map(([key, one]) => [
          key,
          { ...one, destination: { ...one.destination, forwarding: { method: 'direct' } } },
        ]),
      ),
    }));
    expect(found(kernelState(BEFORE), after)).toEqual([
      'real-edited: real 10.0.0.1:80 of tcp 192.0.2.1:80 was edited',
      'real-edited: real 10.0.0.2:80 of tcp 192.0.2.1:80 was edited',
    ]);
  });

  it('is an address of ours that is gone, not one that was there before us', () => {
    const on = (text: string): InterfaceAddress => ({
      interface: 'lo',
      address: address(text),
      prefixLength: 32,
      marked: true,
    });
    const ours = { 'lo|192.0.2.1': { interface: 'lo', address: address('192.0.2.1') } };
    const before = { services: new Map(), addresses: [on('192.0.2.1'), on('192.0.2.2')] };
    const after = { services: new Map(), addresses: [on('192.0.2.3')] };
    expect(drift(before, after, { services: {}, addresses: ours })).toEqual([
      { kind: 'address-gone', text: 'address 192.0.2.1 on lo is gone' },
    ]);
  });
});
