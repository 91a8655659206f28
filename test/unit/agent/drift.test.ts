import { describe, expect, it } from 'vitest';
import { drift } from '../../../src/agent/policy/drift.ts';
import type { ActualService, DataplaneState, KernelService, ServiceKey } from '../../../src/ipvs/dataplane.ts';
import { kernelState } from '../../fakes/model-kernel.ts';

const WEB = 'tcp|192.0.2.1|80' as ServiceKey;
const BEFORE = { [WEB]: { '10.0.0.1|80': 10, '10.0.0.2|80': 10 } };
const OWNED = { [WEB]: true };

function changed(state: DataplaneState, change: (service: ActualService) => ActualService): DataplaneState {
  return new Map([...state].map(([key, service]) => [key, change(service)]));
}

describe('drift', () => {
  it('is nothing between two pictures that are the same', () => {
    expect(drift(kernelState(BEFORE), kernelState(BEFORE), OWNED)).toEqual([]);
  });

  it('is a service that is gone, once, however many reals went with it', () => {
    expect(drift(kernelState(BEFORE), new Map(), OWNED)).toEqual(['service tcp 192.0.2.1:80 is gone']);
  });

  it('is a real that is gone, edited or added', () => {
    const after = kernelState({ [WEB]: { '10.0.0.1|80': 3, '10.0.0.9|80': 1 } });
    expect(drift(kernelState(BEFORE), after, OWNED)).toEqual([
      'real 10.0.0.1:80 of tcp 192.0.2.1:80 was edited',
      'real 10.0.0.2:80 of tcp 192.0.2.1:80 is gone',
      'real 10.0.0.9:80 of tcp 192.0.2.1:80 was added',
    ]);
  });

  it('is another scheduler', () => {
    const edit = (service: KernelService): KernelService => ({ ...service, scheduler: 'rr' });
    const after = changed(kernelState(BEFORE), (each) => ({ ...each, service: edit(each.service) }));
    expect(drift(kernelState(BEFORE), after, OWNED)).toEqual(['service tcp 192.0.2.1:80 was edited']);
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
    expect(drift(kernelState(BEFORE), after, OWNED)).toEqual([]);
  });

  it('is not what happens to services that are not ours', () => {
    expect(drift(kernelState(BEFORE), new Map(), {})).toEqual([]);
  });

  it('is not a service of ours that has not been there before', () => {
    expect(drift(new Map(), kernelState(BEFORE), OWNED)).toEqual([]);
  });
});
