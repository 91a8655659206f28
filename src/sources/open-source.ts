import { assertNever } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { ok } from '../core/result.ts';
import type { CodedError } from '../core/errors.ts';
import type { Clock, Log, Random } from '../core/ports.ts';
import type { LoadAuth, StoreTls } from './credentials.ts';
import type { Source, StoreClient } from './source.ts';

/** A store as it is to be used: validated, defaults filled in, and secrets as functions that read them. */
export type StoreSettings =
  | {
      readonly kind: 'zookeeper';
      /** 'host', 'host:port' or '[ipv6]:port'. */
      readonly servers: readonly string[];
      readonly root: string;
      readonly sessionTimeoutMs: number;
      readonly auth?: LoadAuth;
      readonly tls?: StoreTls;
    }
  | {
      readonly kind: 'etcd';
      /** 'host:port', 'http://host:port' or 'https://host:port'. */
      readonly endpoints: readonly string[];
      readonly root: string;
      readonly leaseTtlMs: number;
      readonly auth?: LoadAuth;
      readonly tls?: StoreTls;
    }
  | {
      readonly kind: 'directory';
      /** Holds `config/` and `state/`; the root of the other stores has no part in it. */
      readonly path: string;
      /** How long what a process left behind stays. */
      readonly sessionTimeoutMs: number;
    };

export interface StoreDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/**
 * The agent's source. Each store's code is loaded only where it is used: etcd's brings a protocol library of 15 MB.
 * @returns BOOTSTRAP_INVALID for what only the store's own code can judge
 */
export async function openSource(store: StoreSettings, deps: StoreDeps): Promise<Result<Source, CodedError>> {
  switch (store.kind) {
    case 'zookeeper': {
      const { createZookeeperSource } = await import('./zookeeper/zookeeper-source.ts');
      return createZookeeperSource(store, deps);
    }
    case 'etcd': {
      const { EtcdSource } = await import('./etcd/source.ts');
      return ok(new EtcdSource(store, deps));
    }
    case 'directory': {
      const { DirectorySource } = await import('./directory/source.ts');
      return ok(new DirectorySource(store, deps));
    }
    default:
      return assertNever(store);
  }
}

/** The operators' port to the same store: hand over their credentials in `store.auth`. */
export async function openStoreClient(store: StoreSettings, deps: StoreDeps): Promise<Result<StoreClient, CodedError>> {
  switch (store.kind) {
    case 'zookeeper': {
      const { createZookeeperClient } = await import('./zookeeper/zookeeper-client.ts');
      return createZookeeperClient(store, deps);
    }
    case 'etcd': {
      const { EtcdStoreClient } = await import('./etcd/client.ts');
      return ok(new EtcdStoreClient(store));
    }
    case 'directory': {
      const { DirectoryStoreClient } = await import('./directory/client.ts');
      return ok(new DirectoryStoreClient(store, deps.clock));
    }
    default:
      return assertNever(store);
  }
}
