import { onTestFinished } from 'vitest';
import { MetricsRegistry } from '../../src/api/metrics.ts';
import type { Api } from '../../src/api/server.ts';
import { createApi } from '../../src/api/server.ts';
import type { Clock } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import type { ApiTls } from '../../src/model/bootstrap.ts';
import { RecordingLog } from './recording-log.ts';
import { statusView } from './status-view.ts';
import { servedCertificate, tlsFiles } from './tls-files.ts';

export interface SecureApi {
  readonly api: Api;
  readonly log: RecordingLog;
  /** What it serves by; `files` also has the authorities that it may not ask for. */
  readonly tls: ApiTls;
  readonly files: ReturnType<typeof tlsFiles>;
  /** As it says itself. */
  readonly address: string;
  readonly port: number;
}

/** An API over TLS on a port of its own until the test ends; `mutual`: with authorities for its clients. */
export async function secureApi({
  mutual = false,
  clock = systemClock,
}: { mutual?: boolean; clock?: Clock } = {}): Promise<SecureApi> {
  const files = tlsFiles();
  const { certificate, key } = files;
  const tls = mutual ? files : { certificate, key };
  const log = new RecordingLog();
  const api = createApi({
    clock,
    certificate: servedCertificate(tls, { clock, log }),
    status: () => statusView(),
    log,
    metrics: new MetricsRegistry(),
    listen: { host: '127.0.0.1', port: 0 },
    version: '1.2.3',
  });
  const { address } = await api.start();
  onTestFinished(() => api.stop());
  if (address === null) throw new Error('it is off');
  return { api, log, tls, files, address, port: Number(new URL(address).port) };
}
