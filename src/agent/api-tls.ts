import { createSecureContext } from 'node:tls';
import type { ApiTlsMaterial, LoadApiTls, TlsFault } from '../api/served-certificate.ts';
import { describeError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import type { ApiTls, Bootstrap } from '../model/bootstrap.ts';
import { certificatesIn, pemOf, privateKeyIn } from '../model/pem.ts';
import type { Problem } from '../model/problem.ts';
import { readSmallFile } from './small-file.ts';

const MAX_PEM_BYTES = 1024 * 1024;

const ALLOWED = {
  certificate: 'a PEM file with a certificate, and behind it those that lead to its authority',
  key: 'a PEM file with the private key of that certificate, without a passphrase',
  clientCa: 'a PEM file with the certificates of authorities',
} as const;

type Field = keyof typeof ALLOWED;

interface Texts {
  readonly certificate: string;
  readonly key: string;
  readonly clientCa: string | null;
}

interface Judged {
  readonly texts: Texts;
  readonly verdict: ReturnType<LoadApiTls>;
}

/**
 * What the files of `api.tls` hold, read anew at every call: the same bytes give the same object as before. Bad ones are
 * remembered too, since judging takes longer than reading, and every client that connects has it done.
 */
export function apiTlsLoader(tls: ApiTls): LoadApiTls {
  let good: Judged | null = null;
  let bad: Judged | null = null;
  return () => {
    const texts = readTexts(tls);
    if (!texts.ok) return texts;
    for (const judged of [good, bad]) if (judged !== null && isSame(judged.texts, texts.value)) return judged.verdict;
    const judged = { texts: texts.value, verdict: judge(tls, texts.value) };
    if (judged.verdict.ok) good = judged;
    else bad = judged;
    return judged.verdict;
  };
}

/** What keeps the API from speaking TLS as the bootstrap file wants it to, for whoever starts an agent. */
export function apiTlsProblems(bootstrapPath: string, { listen, tls }: Bootstrap['api']): readonly Problem[] {
  if (listen === null || tls === undefined) return [];
  const loaded = apiTlsLoader(tls)();
  if (loaded.ok) return [];
  return loaded.error.map(({ field, file, found, allowed }) => {
    return { path: bootstrapPath, field, found: `${file}: ${found}`, allowed, effect: 'ignored' };
  });
}

function readPem(file: string): Result<string, string> {
  try {
    const bytes = readSmallFile(file, MAX_PEM_BYTES);
    return bytes === null ? err(`not a regular file of at most ${MAX_PEM_BYTES} bytes`) : ok(bytes.toString('latin1'));
  } catch (error) {
    return err(describeError(error));
  }
}

function readTexts(tls: ApiTls): Result<Texts, readonly TlsFault[]> {
  const faults = new Faults(tls);
  const certificate = faults.unless('certificate', readPem(tls.certificate));
  const key = faults.unless('key', readPem(tls.key));
  const clientCa = tls.clientCa === undefined ? null : faults.unless('clientCa', readPem(tls.clientCa));
  if (certificate === null || key === null || faults.list.length > 0) return err(faults.list);
  return ok({ certificate, key, clientCa });
}

function isSame(one: Texts, other: Texts): boolean {
  return one.certificate === other.certificate && one.key === other.key && one.clientCa === other.clientCa;
}

/** Whether a server can be run with them. */
function judge(tls: ApiTls, texts: Texts): Result<ApiTlsMaterial, readonly TlsFault[]> {
  const faults = new Faults(tls);
  const certificates = faults.unless('certificate', certificatesIn(texts.certificate));
  const key = faults.unless('key', privateKeyIn(texts.key));
  const authorities = texts.clientCa === null ? null : faults.unless('clientCa', certificatesIn(texts.clientCa));
  if (certificates === null || key === null || faults.list.length > 0) return err(faults.list);
  const [own] = certificates;
  // As they were understood here: OpenSSL passes over what begins with a byte order mark, and takes the next one.
  const certificate = pemOf(certificates);
  if (!own.checkPrivateKey(key)) faults.add('key', `not the key of the first certificate in ${tls.certificate}`);
  else {
    try {
      // What OpenSSL has against them, such as a key that is too short for its security level.
      createSecureContext({ cert: certificate, key: texts.key });
    } catch (error) {
      faults.add('certificate', describeError(error));
    }
  }
  if (faults.list.length > 0) return err(faults.list);
  const clientCa = authorities === null ? null : pemOf(authorities);
  return ok({ certificate, key: texts.key, clientCa, file: tls.certificate, validUntil: Date.parse(own.validTo) });
}

/** Collects all that is wrong, not only the first of it. */
class Faults {
  readonly list: TlsFault[] = [];
  readonly #tls: ApiTls;

  constructor(tls: ApiTls) {
    this.#tls = tls;
  }

  add(field: Field, found: string): void {
    this.list.push({ field: `api.tls.${field}`, file: this.#tls[field] ?? '', found, allowed: ALLOWED[field] });
  }

  unless<T>(field: Field, result: Result<T, string>): T | null {
    if (result.ok) return result.value;
    this.add(field, result.error);
    return null;
  }
}
