import { describe, expect, it } from 'vitest';
import { MemoryDataplane } from '../../../src/ipvs/memory-dataplane.ts';
import { errnoOf } from '../../../src/ipvs/kernel-refusal.ts';
import { describeDataplaneContract, forwarder } from '../../contract/dataplane-contract.ts';
import { addReal, addService, real, service, WEB } from '../../contract/dataplane-samples.ts';

// The same suite runs against the kernel (test/kernel); here the memory's rules are held to it without one.
let current = new MemoryDataplane();
describeDataplaneContract('memory', {
  create: () => Promise.resolve(forwarder('memory', () => current)),
  reset: () => {
    current = new MemoryDataplane();
    return Promise.resolve();
  },
  info: { version: null, connectionTableSize: null },
  manyReals: 10_000,
});

describe('memory dataplane', () => {
  it('plays a kernel in trouble on request', async () => {
    const dataplane = new MemoryDataplane({
      disturb: (op) => (op.kind === 'addDestination' ? (op.destination.weight === 2 ? 'lost' : 'ENOMEM') : null),
    });
    const ops = [
      addService(service(WEB)),
      addReal(WEB, real('10.0.0.1', 80)),
      addReal(WEB, real('10.0.0.2', 80, { weight: 2 })),
    ];
    const report = await dataplane.apply([...ops, addReal(WEB, real('10.0.0.3', 80))]);
    expect(report.applied).toEqual(ops.slice(0, 1));
    expect(report.failed.map(({ error }) => errnoOf(error))).toEqual(['ENOMEM']);
    expect(report.failed[0]?.error.transient).toBe(true);
    expect(report.lost?.code).toBe('NETLINK_LOST');
  });

  it('says so when it was closed', async () => {
    const dataplane = new MemoryDataplane();
    await dataplane.close();
    expect((await dataplane.read()).ok).toBe(false);
    expect((await dataplane.apply([addService(service(WEB))])).lost).not.toBeNull();
  });
});
