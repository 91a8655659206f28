import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane } from '../../src/ipvs/create-dataplane.ts';
import type { Dataplane } from '../../src/ipvs/dataplane.ts';
import { destinationKeyOf, serviceKeyOf } from '../../src/ipvs/dataplane.ts';
import { eventually } from '../lab/eventually.ts';
import { addReal, addService, match, real, service } from '../contract/dataplane-samples.ts';

const run = promisify(execFile);
const deps = { clock: systemClock, log: silentLog };
const VIP = match('tcp', '192.0.2.77', 80);
const CONNECTIONS = 7;

describe('traffic through what was programmed', () => {
  beforeEach(async () => {
    await run('ipvsadm', ['--clear']);
    await run('ip', ['address', 'add', '192.0.2.77/32', 'dev', 'lo']);
  });
  afterEach(() => run('ip', ['address', 'delete', '192.0.2.77/32', 'dev', 'lo']));

  it('reaches the real, and is counted alike by both adapters', async () => {
    const server = createServer((socket) => socket.end('hello'));
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;

    const kernel = createDataplane('ipvs', deps);
    const destination = real('127.0.0.1', port);
    const persistence = { timeoutSeconds: 60, prefixLength: 32 };
    const report = await kernel.apply([
      addService(service(VIP, { scheduler: 'rr', persistence })),
      addReal(VIP, destination),
    ]);
    expect(report.failed).toEqual([]);
    for (let count = 0; count < CONNECTIONS; count++) {
      const client = connect(80, '192.0.2.77');
      let text = '';
      client.on('data', (chunk) => (text += String(chunk)));
      await once(client, 'close');
      expect(text).toBe('hello');
    }
    server.close();

    // The kernel adds its counters up every two seconds (ip_vs_est.c).
    await eventually('the connections are counted', async () => {
      return (await activity(kernel)).connections === BigInt(CONNECTIONS);
    });
    const ipvsadm = createDataplane('ipvsadm', deps);
    const seen = await Promise.all([kernel, ipvsadm].map(activity));
    expect(seen[0]).toEqual(seen[1]);
    expect(seen[0]?.connections).toBe(BigInt(CONNECTIONS));
    expect(seen[0]?.persistentConnections).toBe(1);
    expect(seen[0]?.inBytes).toBeGreaterThan(BigInt(CONNECTIONS * 40));
    await kernel.close();

    async function activity(dataplane: Dataplane) {
      const state = await dataplane.read();
      if (!state.ok) throw state.error;
      const held = state.value.get(serviceKeyOf(VIP))?.destinations.get(destinationKeyOf(destination));
      // Rates move on between two readings; totals do not, with nobody calling.
      const { connections, inPackets, outPackets, inBytes, outBytes } = held?.activity.stats ?? {};
      const { activeConnections, inactiveConnections, persistentConnections } = held?.activity ?? {};
      const totals = { connections, inPackets, outPackets, inBytes, outBytes };
      return { ...totals, activeConnections, inactiveConnections, persistentConnections };
    }
  });
});
