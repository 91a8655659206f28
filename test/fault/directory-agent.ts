/** An agent's publisher in a process of its own, to be killed: node --import tsx directory-agent.ts DIR TIMEOUT TEXT */
import { silentLog } from '../../src/core/ports.ts';
import { systemClock } from '../../src/core/system-clock.ts';
import { DirectorySource } from '../../src/sources/directory/source.ts';

const [path = '', timeout = '', text = ''] = process.argv.slice(2);
const source = new DirectorySource({ path, sessionTimeoutMs: Number(timeout) }, { clock: systemClock, log: silentLog });
await source.publish(new Map([['state/health/web/lb1', Buffer.from(text)]]));
source.start();
