import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { createDataplane } from '../../src/ipvs/create-dataplane.ts';
import type { DataplaneOp } from '../../src/ipvs/dataplane.ts';
import { describeDataplaneContract } from '../contract/dataplane-contract.ts';

const run = promisify(execFile);

const SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'sh', 'fo'];

describeDataplaneContract('nftables', {
  create: () => Promise.resolve(createDataplane('nftables', { clock: systemClock, log: silentLog })),
  reset: async () => {
    await run('nft', ['flush', 'ruleset']);
  },
  info: { version: null, connectionTableSize: null },
  cannot: (op: DataplaneOp) => {
    switch (op.kind) {
      case 'addService':
      case 'editService': {
        const { scheduler, onePacket, persistenceEngine } = op.service;
        return !SCHEDULERS.includes(scheduler) || onePacket || persistenceEngine !== null;
      }
      case 'addDestination':
      case 'editDestination':
        return op.destination.forwarding.method !== 'nat' || op.destination.upperThreshold > 0;
      case 'deleteService':
      case 'deleteDestination':
        return false;
    }
  },
  unknownScheduler: { errno: 'EOPNOTSUPP', advice: 'allowed: fo, lc, rr, sh, wlc, wrr' },
  manyReals: 4_000,
});
