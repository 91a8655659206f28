import { X509Certificate, createPrivateKey } from 'node:crypto';
import type { KeyObject } from 'node:crypto';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';

/* What is in the PEM files (RFC 7468) that people write, read more strictly than OpenSSL does: it passes over garbage. */

/** @returns the certificates in their order, the first one apart; or what is wrong */
export function certificatesIn(pem: string): Result<readonly [X509Certificate, ...X509Certificate[]], string> {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [];
  const begun = pem.match(/-----BEGIN CERTIFICATE-----/g) ?? [];
  if (begun.length > blocks.length) return err('a certificate in it has no end');
  const found: X509Certificate[] = [];
  for (const [index, block] of blocks.entries()) {
    try {
      found.push(new X509Certificate(block));
    } catch {
      return err(`its certificate number ${index + 1} cannot be read`);
    }
  }
  const [first, ...others] = found;
  return first === undefined ? err('there is no certificate in it') : ok([first, ...others]);
}

/** The certificates and nothing else. */
export function pemOf(certificates: readonly X509Certificate[]): string {
  return certificates.map(String).join('');
}

export function privateKeyIn(pem: string): Result<KeyObject, string> {
  if (/ENCRYPTED/.test(pem)) return err('its key is encrypted');
  try {
    return ok(createPrivateKey(pem));
  } catch {
    // What OpenSSL says of it helps nobody: "DECODER routines::unsupported".
    return err('there is no private key in it that can be read');
  }
}
