import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/core/ports.ts';
import { KernelDataplane } from '../../../src/ipvs/kernel-dataplane.ts';
import { addReal, addService, real, service, WEB } from '../../contract/dataplane-samples.ts';
import { fromHex } from '../../fakes/hex.ts';
import { ManualClock, settle } from '../../fakes/manual-clock.ts';
import { acknowledgement, FakeNetlink } from '../../fakes/netlink-kernel.ts';
import type { SeenMessage } from '../../fakes/netlink-kernel.ts';
import { RESOLVE_FAMILY } from '../../vectors/ipvs-captures.ts';

const ops = [addService(service(WEB)), ...[1, 2, 3, 4].map((n) => addReal(WEB, real(`10.0.0.${n}`, 80)))];

/** Answers the question for the family, refuses the second of the operations, and then falls silent. */
function dataplaneWithSilence() {
  const clock = new ManualClock();
  const kernel = new FakeNetlink((messages, socket) => {
    const isFamily = ({ type }: SeenMessage): boolean => type === 0x10;
    for (const message of messages.filter(isFamily)) {
      for (const hex of RESOLVE_FAMILY.received) {
        const bytes = fromHex(hex);
        new DataView(bytes.buffer).setUint32(8, message.sequence, true);
        socket.deliver(bytes);
      }
    }
    const [, second] = messages.filter((each) => !isFamily(each));
    if (second !== undefined) socket.deliver(acknowledgement(second, 17));
  });
  const dataplane = new KernelDataplane({
    open: kernel.open,
    clock,
    log: silentLog,
    loadModule: () => Promise.resolve(),
  });
  return { clock, kernel, dataplane };
}

describe('answers that never come', () => {
  it('leave an operation in neither list, with the reason in `lost`', async () => {
    const { clock, dataplane } = dataplaneWithSilence();
    const outcome = dataplane.apply(ops);
    for (let turn = 0; turn < 10; turn++) await settle();
    await clock.advanceAsync(20_000);
    const report = await outcome;
    // The kernel works in order, so the first succeeded; of what came after the second nobody knows.
    expect(report.applied).toEqual([ops[0]]);
    expect(report.failed.map(({ op }) => op)).toEqual([ops[1]]);
    expect(report.lost?.code).toBe('NETLINK_LOST');
    expect(report.lost?.transient).toBe(true);
    expect(dataplane.counters.lost).toBe(1);
  });
});
