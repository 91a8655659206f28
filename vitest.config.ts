import { defineConfig } from 'vitest/config';

/*
 * Each folder under test/ says where its files can run:
 *   unit    anywhere, in seconds, no root, no servers
 *   fault   one failure per file, on fakes with the real thing's rules or on loopback servers
 *   system  real ZooKeeper, etcd and BGP routers on loopback
 *   nftables  a kernel with nf_tables and its NAT, in a network namespace of its own: run by test/lab, natively
 *   kernel  needs a kernel with IPVS: run by test/lab, natively or in a guest
 *   ipvs-nftables  IPVS and nf_tables in one kernel: run by test/lab, natively or in the slow machine in software
 */
/** The long counts of `npm run test:long`, fifty times as many. */
const isLong = process.env['VIPKEEPER_LONG'] === '1';

export default defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          include: ['test/unit/**/*.test.ts', 'test/*.test.ts'],
          testTimeout: isLong ? 900_000 : 60_000,
        },
      },
      { test: { name: 'fault', include: ['test/fault/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 180_000 } },
      { test: { name: 'system', include: ['test/system/**/*.test.ts'], testTimeout: 120_000, hookTimeout: 180_000 } },
      {
        test: {
          name: 'nftables',
          include: ['test/nftables/**/*.test.ts'],
          testTimeout: 60_000,
          hookTimeout: 60_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'kernel',
          include: ['test/kernel/**/*.test.ts'],
          testTimeout: 120_000,
          hookTimeout: 180_000,
          fileParallelism: false,
        },
      },
      {
        test: {
          name: 'ipvs-nftables',
          include: ['test/ipvs-nftables/**/*.test.ts'],
          testTimeout: 600_000,
          hookTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
    maxWorkers: 2,
  },
});
