import type { CodedError } from '../core/errors.ts';
import type { Clock, Log, Random } from '../core/ports.ts';
import type { Result } from '../core/result.ts';
import { ok } from '../core/result.ts';
import { DirectoryStoreClient } from './directory/client.ts';
import type { DirectorySettings } from './directory/settings.ts';
import { DirectorySource } from './directory/source.ts';
import { EtcdStoreClient } from './etcd/client.ts';
import type { EtcdSettings } from './etcd/settings.ts';
import { EtcdSource } from './etcd/source.ts';
import type { Source, StoreClient } from './source.ts';
import type { ZookeeperOptions } from './zookeeper/options.ts';
import { createZookeeperClient } from './zookeeper/zookeeper-client.ts';
import { createZookeeperSource } from './zookeeper/zookeeper-source.ts';

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
export function openSource(settings: StoreSettings, deps: SourceDeps): Result<Source, CodedError> {
  switch (settings.kind) {
    case 'zookeeper':
      return createZookeeperSource(settings, deps);
    case 'etcd':
      return ok(new EtcdSource(settings, deps));
    case 'directory':
      return ok(new DirectorySource(settings, deps));
  }
}

/** The operators' port to the same store. */
export function openStoreClient(settings: StoreSettings, deps: SourceDeps): Result<StoreClient, CodedError> {
  switch (settings.kind) {
    case 'zookeeper':
      return createZookeeperClient(settings, deps);
    case 'etcd':
      return ok(new EtcdStoreClient(settings, deps.clock));
    case 'directory':
      return ok(new DirectoryStoreClient(settings, deps.clock));
  }
}
