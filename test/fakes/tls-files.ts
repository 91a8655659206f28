import { copyFileSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { apiTlsLoader } from '../../src/agent/api-tls.ts';
import { ServedCertificate } from '../../src/api/served-certificate.ts';
import type { Clock, Log } from '../../src/core/ports.ts';
import type { ApiTls } from '../../src/model/bootstrap.ts';
import { tempDir } from './temp-dir.ts';

const VECTORS = join(import.meta.dirname, '../vectors/tls');

/** One of the files of test/vectors/tls. */
export const pem = (name: string): string => readFileSync(join(VECTORS, name), 'utf8');

/** Copies of the certificate of `server`, its key and its authority, which a test may replace. */
export function tlsFiles(): Required<Pick<ApiTls, 'certificate' | 'key' | 'clientCa'>> {
  const folder = tempDir();
  const copy = (name: string): string => {
    copyFileSync(join(VECTORS, name), join(folder, name));
    return join(folder, name);
  };
  return { certificate: copy('server.pem'), key: copy('server.key'), clientCa: copy('ca.pem') };
}

/** What an agent with these files serves. */
export function servedCertificate(tls: ApiTls, deps: { readonly clock: Clock; readonly log: Log }): ServedCertificate {
  const load = apiTlsLoader(tls);
  const first = load();
  if (!first.ok) throw new Error(JSON.stringify(first.error));
  return new ServedCertificate(first.value, { load, ...deps });
}
