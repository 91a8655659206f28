import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { requireParts } from './parts.ts';

/**
 * Makes a new authority (`ca.pem`) and one certificate (`host.pem`, `host-key.pem`) that serves as a server's, by the
 * names store.example and 127.0.0.1, and as its clients'. Files of the same names are replaced; `host-both.pem` holds
 * key and certificate, as Java likes them.
 */
export async function makeCertificates(folder: string): Promise<void> {
  const parts = await requireParts(['openssl']);
  const openssl = async (...args: string[]): Promise<void> => {
    await promisify(execFile)(parts.binary('openssl'), args, { cwd: folder, env: parts.env });
  };
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes'];
  const ca = ['-keyout', 'ca-key.pem', '-out', 'ca.pem', '-subj', '/CN=ca', '-days', '2'];
  await openssl('req', '-x509', ...curve, ...ca);
  await openssl('req', ...curve, '-keyout', 'host-key.pem', '-out', 'host.csr', '-subj', '/CN=store.example');
  const usage = 'extendedKeyUsage=serverAuth,clientAuth';
  await writeFile(join(folder, 'host.ext'), `subjectAltName=DNS:store.example,IP:127.0.0.1\n${usage}\n`);
  const signed = ['-CA', 'ca.pem', '-CAkey', 'ca-key.pem', '-CAcreateserial', '-extfile', 'host.ext', '-days', '2'];
  await openssl('x509', '-req', '-in', 'host.csr', ...signed, '-out', 'host.pem');
  const both = await Promise.all(['host-key.pem', 'host.pem'].map((name) => readFile(join(folder, name), 'utf8')));
  await writeFile(join(folder, 'host-both.pem'), both.join('\n'));
}

/** Where the parts of `makeCertificates` lie, as the bootstrap file and the servers name them. */
export function certificateFiles(folder: string): {
  readonly ca: string;
  readonly certificate: string;
  readonly key: string;
} {
  return { ca: join(folder, 'ca.pem'), certificate: join(folder, 'host.pem'), key: join(folder, 'host-key.pem') };
}
