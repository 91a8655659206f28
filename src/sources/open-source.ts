import type { CodedError } from '../core/errors.ts';
import type { Clock, Log, Random } from '../core/ports.ts';
import type { Result } from '../core/result.ts';
import { ok } from '../core/result.ts';
import type { DirectorySettings } from './directory/settings.ts';
import type { EtcdSettings } from './etcd/settings.ts';
import type { Source, StoreClient } from './source.ts';
import type { ZookeeperOptions } from './zookeeper/options.ts';

/* Each store's code is loaded when it is the one: etcd's libraries alone would cost every other agent 8 MB. */

/** Which store, with everything that it takes to reach it. */
export type StoreSettings =
  | ({ readonly kind: 'zookeeper' } & ZookeeperOptions)
  | ({ readonly kind: 'etcd' } & EtcdSettings)
  | ({ readonly kind: 'directory' } & DirectorySettings);

export interface SourceDeps {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The agent's port to the store. Nothing is connected before it is started. */
export async function openSource(settings: StoreSettings, deps: SourceDeps): Promise<Result<Source, CodedError>> {
  switch (settings.kind) {
    case 'zookeeper': {
      const { createZookeeperSource } = await import('./zookeeper/zookeeper-source.ts');
      return createZookeeperSource(settings, deps);
    }
    case 'etcd': {
      const { EtcdSource } = await import('./etcd/source.ts');
      return ok(new EtcdSource(settings, deps));
    }
    case 'directory': {
      const { DirectorySource } = await import('./directory/source.ts');
      return ok(new DirectorySource(settings, deps));
    }
  }
}

/** The operators' port to the same store. */
export async function openStoreClient(
  settings: StoreSettings,
  deps: SourceDeps,
): Promise<Result<StoreClient, CodedError>> {
  switch (settings.kind) {
    case 'zookeeper': {
      const { createZookeeperClient } = await import('./zookeeper/zookeeper-client.ts');
      return createZookeeperClient(settings, deps);
    }
    case 'etcd': {
      const { EtcdStoreClient } = await import('./etcd/client.ts');
      return ok(new EtcdStoreClient(settings, deps.clock));
    }
    case 'directory': {
      const { DirectoryStoreClient } = await import('./directory/client.ts');
      return ok(new DirectoryStoreClient(settings, deps.clock));
    }
  }
}
