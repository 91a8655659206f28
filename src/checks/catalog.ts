import type { CheckType } from './definition.ts';
import { httpCheck } from './types/http.ts';
import { httpsCheck } from './types/https.ts';
import { tcpCheck } from './types/tcp.ts';
import { zookeeperCheck } from './types/zookeeper.ts';

/** Every kind of check there is. A new one is a file under types/ and a line here. */
export const CHECK_TYPES: readonly CheckType[] = [tcpCheck, httpCheck, httpsCheck, zookeeperCheck];

export const checkTypes: ReadonlyMap<string, CheckType> = new Map(CHECK_TYPES.map((entry) => [entry.type, entry]));
