import { Narrator } from './narrator.ts';
import type { StoreKind } from './store-server.ts';
import { STORE_KINDS } from './store-server.ts';
import { tell } from './story.ts';
import { World } from './world.ts';

/* The demo inside the lab: builds the world, tells the story, and leaves nothing behind. */

const kind = process.argv[2] as StoreKind;
if (!STORE_KINDS.includes(kind)) throw new Error(`no store is called ${String(process.argv[2])}`);
const dataplane = process.argv[3] ?? 'ipvs';
if (dataplane !== 'ipvs' && dataplane !== 'nftables')
  throw new Error(`no dataplane of the demo is called ${dataplane}`);

const narrator = new Narrator();
narrator.say('building a small data centre out of network namespaces');
let world: World | undefined;
try {
  world = await World.start(kind, dataplane, (text) => narrator.say(text));
  await tell(world, narrator);
  narrator.end();
} catch (error) {
  process.exitCode = 1;
  console.error(`\n${error instanceof Error ? error.message : String(error)}`);
  for (const agent of ['lb1', 'lb2'] as const) {
    const log = world?.agentLog(agent) ?? '';
    if (log !== '') console.error(`\nthe end of the log of ${agent}:\n${log}`);
  }
  console.error('\ndemo: failed');
} finally {
  await world?.stop();
}
