import { readFileSync, statSync } from 'node:fs';
import { createSecureContext } from 'node:tls';
import type { SecureContext, SecureContextOptions } from 'node:tls';
import type { Clock } from '../core/ports.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';

/** Which certificates a TLS probe uses; each of `ca`, `certificate` and `key` is a reference, `file:/…` or `env:…`. */
export interface TlsMaterial {
  readonly verify: boolean;
  readonly ca: string | null;
  readonly certificate: string | null;
  readonly key: string | null;
}

interface CachedContext {
  context: SecureContext;
  /** Which bytes the context was made of. */
  stamp: string;
  /** Monotonic milliseconds of the last look at the files. */
  checkedAt: number;
}

const RECHECK_MS = 10_000;
const MAX_PEM_BYTES = 1024 * 1024;

/**
 * One SecureContext for each set of certificates, because making one costs as much as the handshake. Files are looked
 * at again every ten seconds and re-read when they changed; while they cannot be read, the last good context serves.
 */
export class TrustStore {
  readonly #clock: Clock;
  readonly #onProblem: (problem: string) => void;
  readonly #contexts = new Map<string, CachedContext>();

  /** @param onProblem told when material that was good once can no longer be read */
  constructor(clock: Clock, onProblem: (problem: string) => void) {
    this.#clock = clock;
    this.#onProblem = onProblem;
  }

  /** The error says, without any secret in it, which reference could not be used and why. */
  contextFor(material: TlsMaterial): Result<SecureContext, string> {
    const key = [material.verify, material.ca, material.certificate, material.key].join('\n');
    const cached = this.#contexts.get(key);
    const now = this.#clock.monotonic();
    if (cached !== undefined && now - cached.checkedAt < RECHECK_MS) return ok(cached.context);
    const built = build(material, cached);
    if (built.ok) {
      this.#contexts.set(key, { ...built.value, checkedAt: now });
      return ok(built.value.context);
    }
    if (cached === undefined) return built;
    cached.checkedAt = now;
    this.#onProblem(`${built.error}; the last good version stays in use`);
    return ok(cached.context);
  }

  /** Forgets everything, when no definition uses it any more. */
  clear(): void {
    this.#contexts.clear();
  }
}

function build(
  material: TlsMaterial,
  cached: CachedContext | undefined,
): Result<{ context: SecureContext; stamp: string }, string> {
  const references = [material.ca, material.certificate, material.key];
  try {
    const stamp = references.map(stampOf).join('\n');
    if (cached?.stamp === stamp) return ok({ context: cached.context, stamp });
    const [ca, cert, key] = references.map(resolve);
    const options: SecureContextOptions = {
      ...(cert === undefined ? {} : { cert }),
      ...(key === undefined ? {} : { key }),
    };
    // An explicit empty list keeps the context from loading the bundled roots, which nobody asks when verify is off.
    if (ca !== undefined) options.ca = ca;
    else if (!material.verify) options.ca = [];
    return ok({ context: createSecureContext(options), stamp });
  } catch (error) {
    const names = references.filter((reference) => reference !== null).join(', ');
    const reason = error instanceof Error ? error.message : String(error);
    return err(`TLS material ${names} cannot be used: ${reason}`);
  }
}

function stampOf(reference: string | null): string {
  if (reference?.startsWith('file:') !== true) return reference ?? '';
  const path = reference.slice('file:'.length);
  const stat = statSync(path);
  // A device has no size and no end, and a pipe may have no writer: either would stop the whole thread.
  if (!stat.isFile()) throw new Error(`${path} is not a regular file`);
  if (stat.size > MAX_PEM_BYTES) throw new Error(`${path} has ${stat.size} bytes, more than ${MAX_PEM_BYTES}`);
  return `${reference} ${stat.mtimeMs} ${stat.size} ${stat.ino}`;
}

/** Called only for what `stampOf` has accepted. */
function resolve(reference: string | null): string | undefined {
  if (reference === null) return undefined;
  if (reference.startsWith('file:')) return readFileSync(reference.slice('file:'.length), 'utf8');
  const value = process.env[reference.slice('env:'.length)];
  if (value === undefined) throw new Error('the variable is not set');
  return value;
}
