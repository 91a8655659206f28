import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import type { EtcdSettings } from '../../src/sources/etcd/settings.ts';
import { EtcdSource } from '../../src/sources/etcd/source.ts';
import type { Source } from '../../src/sources/source.ts';
import { eventually } from '../lab/eventually.ts';

export const ROOT = '/vipkeeper';

export function etcdSource(endpoints: readonly string[], settings: Partial<EtcdSettings> = {}): EtcdSource {
  return new EtcdSource(
    { endpoints, root: ROOT, leaseTtlMs: 10_000, ...settings },
    { clock: systemClock, random: Math.random, log: silentLog },
  );
}

export async function connected(source: Source): Promise<void> {
  source.start();
  await eventually('connected', () => source.state().kind === 'connected');
}
