const LONG_FACTOR = 50;

/**
 * Settings of a property test: a fixed seed and a bounded count, so that every run tests the same cases;
 * `npm run test:long` (VIPKEEPER_LONG=1) takes fifty times as many from a seed of its own.
 */
export function runs(count: number): { numRuns: number; seed: number } {
  const long = process.env['VIPKEEPER_LONG'] === '1';
  return { numRuns: long ? count * LONG_FACTOR : count, seed: long ? Date.now() : 20_261_123 };
}
