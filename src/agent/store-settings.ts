import { readFileSync } from 'node:fs';
import { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import type { Bootstrap } from '../model/bootstrap.ts';
import { durationMs } from '../model/duration.ts';
import type { LoadAuth, StoreTls, TlsMaterial } from '../sources/credentials.ts';
import type { StoreSettings } from '../sources/open-source.ts';
import { resolveSecret } from './secrets.ts';

/** How long a record of a directory store outlives its agent. */
const DIRECTORY_SESSION_MS = 10_000;

/** As whom a store is opened: the daemon writes under state/ only, an operator writes the configuration. */
export type StoreRole = 'agent' | 'operator';

type Tls = NonNullable<Extract<Bootstrap['store'], { zookeeper: unknown }>['zookeeper']['tls']>;

/** What the bootstrap file says about the store, for the sources. Secrets and PEM files are read when they are needed. */
export function storeSettings({ store, root }: Bootstrap, role: StoreRole): StoreSettings {
  if ('directory' in store) {
    return { kind: 'directory', path: store.directory.path, sessionTimeoutMs: DIRECTORY_SESSION_MS };
  }
  const operator = role === 'operator' ? store.operatorAuth : undefined;
  if ('zookeeper' in store) {
    const { servers, sessionTimeout, auth, tls } = store.zookeeper;
    const common = { servers, root, sessionTimeoutMs: durationMs(sessionTimeout), auth: loadAuth(operator ?? auth) };
    // An agent that starts while the ensemble is lost has something to go by then; an operator would see old records.
    const allowReadOnly = role === 'agent';
    // Whoever makes the root leaves its state folder to the agents.
    const agents = operator === undefined ? {} : { agentAuth: loadAuth(auth) };
    return {
      kind: 'zookeeper',
      ...common,
      ...agents,
      allowReadOnly,
      ...(tls === undefined ? {} : { tls: storeTls(tls) }),
    };
  }
  const { endpoints, leaseTtl, auth, tls } = store.etcd;
  const common = { endpoints, root, leaseTtlMs: durationMs(leaseTtl), auth: loadAuth(operator ?? auth) };
  return { kind: 'etcd', ...common, ...(tls === undefined ? {} : { tls: storeTls(tls) }) };
}

/** After this long a leftover of an earlier session of ours is gone. */
export function sessionTimeoutMs({ store }: Bootstrap): number {
  if ('zookeeper' in store) return durationMs(store.zookeeper.sessionTimeout);
  return 'etcd' in store ? durationMs(store.etcd.leaseTtl) : DIRECTORY_SESSION_MS;
}

function loadAuth(reference: string | undefined): LoadAuth {
  return () => (reference === undefined ? ok(null) : resolveSecret(reference));
}

function storeTls(tls: Tls): StoreTls {
  const load = (): Result<TlsMaterial, CodedError> => {
    try {
      return ok({
        ...(tls.ca === undefined ? {} : { ca: readFileSync(tls.ca) }),
        ...(tls.certificate === undefined ? {} : { certificate: readFileSync(tls.certificate) }),
        ...(tls.key === undefined ? {} : { key: readFileSync(tls.key) }),
      });
    } catch (cause) {
      return err(new CodedError('SECRET_UNREADABLE', 'a PEM file of the store cannot be read', { cause }));
    }
  };
  return { load, ...(tls.serverName === undefined ? {} : { serverName: tls.serverName }) };
}
