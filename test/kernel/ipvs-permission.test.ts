import { afterEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane, createInterfaceAddresses } from '../../src/ipvs/create-dataplane.ts';
import { errnoOf } from '../../src/ipvs/kernel-refusal.ts';
import { address, addReal, addService, real, service, WEB } from '../contract/dataplane-samples.ts';

const NOBODY = 65_534;
const deps = { clock: systemClock, log: silentLog };

// Another effective user than root has no capabilities (capabilities(7)); root comes back afterwards.
describe('without CAP_NET_ADMIN', () => {
  afterEach(() => process.seteuid?.(0));

  it('every write of IPVS is refused by name, with what to do about it', async () => {
    const dataplane = createDataplane('ipvs', deps);
    process.seteuid?.(NOBODY);
    const report = await dataplane.apply([addService(service(WEB)), addReal(WEB, real('10.0.0.1', 80))]);
    expect(report.applied).toEqual([]);
    expect(report.failed.map(({ error }) => errnoOf(error))).toEqual(['EPERM', 'EPERM']);
    expect(report.failed[0]?.error.message).toContain('CAP_NET_ADMIN');
    await dataplane.close();
  });

  it('reading IPVS is refused as well', async () => {
    const dataplane = createDataplane('ipvs', deps);
    process.seteuid?.(NOBODY);
    const state = await dataplane.read();
    expect(state.ok ? '' : errnoOf(state.error)).toBe('EPERM');
    expect(state.ok ? '' : state.error.message).toContain('CAP_NET_ADMIN');
    await dataplane.close();
  });

  it('ipvsadm fails with its own words, and nothing counts as applied', async () => {
    const dataplane = createDataplane('ipvsadm', deps);
    process.seteuid?.(NOBODY);
    const report = await dataplane.apply([addService(service(WEB))]);
    expect(report.applied).toEqual([]);
    expect(report.lost?.code).toBe('IPVSADM_FAILED');
  });

  it('addresses can be read but not written', async () => {
    const addresses = createInterfaceAddresses('ipvs', deps);
    process.seteuid?.(NOBODY);
    expect((await addresses.read()).ok).toBe(true);
    const report = await addresses.apply([{ kind: 'addAddress', interface: 'lo', address: address('192.0.2.1') }]);
    expect(report.failed.map(({ error }) => errnoOf(error))).toEqual(['EPERM']);
    await addresses.close();
  });
});
