/** What others do to our part of the kernel, by kind: for metrics and status. */
export const DRIFT_KINDS = [
  'service-gone',
  'service-edited',
  'real-gone',
  'real-edited',
  'real-added',
  'address-gone',
  'setting-changed',
] as const;
export type DriftKind = (typeof DRIFT_KINDS)[number];
