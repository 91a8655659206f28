import { describe, expect, it } from 'vitest';
import { silentLog } from '../../../src/core/ports.ts';
import { KernelDataplane } from '../../../src/ipvs/kernel-dataplane.ts';
import { addService, service, WEB } from '../../contract/dataplane-samples.ts';
import { fromHex } from '../../fakes/hex.ts';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { acknowledgement, done, FakeNetlink } from '../../fakes/netlink-kernel.ts';
import { RESOLVE_FAMILY } from '../../vectors/ipvs-captures.ts';

/** A kernel that knows IPVS once its module is loaded. */
function kernelWithModule() {
  const state = { loaded: false, asked: [] as string[], loadable: true };
  const kernel = new FakeNetlink((messages, socket) => {
    for (const message of messages) {
      if (message.type !== 0x10) socket.deliver(message.flags & 0x300 ? done(message) : acknowledgement(message));
      else if (!state.loaded) socket.deliver(acknowledgement(message, 2));
      else {
        for (const hex of RESOLVE_FAMILY.received) {
          const bytes = fromHex(hex);
          new DataView(bytes.buffer).setUint32(8, message.sequence, true);
          socket.deliver(bytes);
        }
      }
    }
  });
  const dataplane = new KernelDataplane({
    open: kernel.open,
    clock: new ManualClock(),
    log: silentLog,
    loadModule: (name) => {
      state.asked.push(name);
      if (state.loadable) state.loaded = true;
      return Promise.resolve();
    },
  });
  return { state, kernel, dataplane };
}

describe('a kernel without ip_vs', () => {
  it('gets the module loaded once, and then works', async () => {
    const { state, dataplane } = kernelWithModule();
    expect((await dataplane.read()).ok).toBe(true);
    expect((await dataplane.apply([addService(service(WEB))])).applied.length).toBe(1);
    expect(state.asked).toEqual(['ip_vs']);
  });

  it('is reported with what to do, and is asked again later', async () => {
    const { state, dataplane } = kernelWithModule();
    state.loadable = false;
    const report = await dataplane.apply([addService(service(WEB))]);
    expect(report.applied).toEqual([]);
    expect(report.lost?.code).toBe('NETLINK_UNAVAILABLE');
    expect(report.lost?.message).toContain('modprobe ip_vs');
    expect((await dataplane.read()).ok).toBe(false);
    expect(state.asked).toEqual(['ip_vs']);
    state.loaded = true;
    expect((await dataplane.read()).ok).toBe(true);
  });

  it('may lose and regain it: the family is resolved anew', async () => {
    const { state, kernel, dataplane } = kernelWithModule();
    await dataplane.read();
    const answer = kernel.answer;
    let refused = 0;
    kernel.answer = (messages, socket) => {
      const [message] = messages;
      if (message !== undefined && message.type !== 0x10 && refused++ === 0)
        socket.deliver(acknowledgement(message, 2));
      else answer(messages, socket);
    };
    expect((await dataplane.read()).ok).toBe(true);
    expect(kernel.sent.flat().filter(({ type }) => type === 0x10).length).toBe(3);
    expect(state.asked.length).toBe(1);
  });
});
