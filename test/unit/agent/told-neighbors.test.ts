import { describe, expect, it } from 'vitest';
import { CodedError } from '../../../src/core/errors.ts';
import { configuration, real, service, vip } from '../../fakes/configurations.ts';
import { KernelBench } from '../../fakes/kernel-bench.ts';

const WEB = 'tcp|192.0.2.10|80';
const A = real('a', '10.0.0.1');
const NOTHING = configuration([], { vips: [] });

describe('neighbours', () => {
  const vips = [vip('shop', ['192.0.2.10'], { interface: 'eth0' })];
  const ON_A_LINK = configuration([service('web', [A])], { vips });
  const ANNOUNCED = 'announce eth0 192.0.2.10';

  it('are told of an address when what it is for is served, and again later', async () => {
    const bench = new KernelBench();
    expect(await bench.pass(ON_A_LINK)).toBe(true);
    expect(bench.host.take()).toEqual([
      'add address eth0 192.0.2.10',
      `add ${WEB}`,
      `add ${WEB} 10.0.0.1|80 10`,
      ANNOUNCED,
    ]);
    await bench.clock.advanceAsync(10_000);
    expect(bench.host.take()).toEqual([ANNOUNCED, ANNOUNCED]);
  });

  it('are not told of an address that is there already', async () => {
    const bench = new KernelBench();
    await bench.pass(ON_A_LINK);
    await bench.driver.close();
    bench.host.take();
    const next = new KernelBench(bench.host, bench.dir);
    await next.pass(ON_A_LINK);
    await next.clock.advanceAsync(10_000);
    expect(bench.host.take()).toEqual([]);
  });

  it('are not told any more after the address was taken away, or the driver closed', async () => {
    const bench = new KernelBench();
    await bench.pass(ON_A_LINK);
    await bench.pass(NOTHING);
    bench.clock.advance(1_000);
    await bench.pass(NOTHING, 1_000);
    expect(bench.host.take().slice(-2)).toEqual([`delete ${WEB}`, 'delete address eth0 192.0.2.10']);
    await bench.clock.advanceAsync(10_000);
    expect(bench.host.take()).toEqual([]);
    await bench.pass(ON_A_LINK);
    await bench.driver.close();
    expect(bench.clock.pendingTimers).toBe(0);
  });

  it('that cannot be told are a failure in the report, which keeps nothing from going on', async () => {
    const bench = new KernelBench();
    bench.host.unannounceable = new CodedError('NEIGHBORS_NOT_TOLD', 'EPERM');
    expect(await bench.pass(ON_A_LINK)).toBe(true);
    expect(bench.failures).toEqual(['announce 192.0.2.10 on eth0: EPERM']);
    await bench.clock.advanceAsync(60_000);
    bench.host.unannounceable = null;
    expect([await bench.pass(ON_A_LINK), bench.failures]).toEqual([true, []]);
  });
});
