import { existsSync } from 'node:fs';
import { rename } from 'node:fs/promises';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { eventually } from '../lab/eventually.ts';
import { pokes, snapshot, until, value } from '../system/contract-store.ts';
import { StoreFolder } from './directory-fixture.ts';

let store: StoreFolder;

beforeEach(async () => {
  store = await StoreFolder.make({ 'config/vips/web': '{}' });
});
afterEach(async () => {
  await store.remove();
});

/** As when a disk is mounted late, or goes away. */
test('a directory that is not there is waited for, and never made', async () => {
  const away = `${store.path}-away`;
  await rename(store.path, away);
  const source = store.source({ sessionTimeoutMs: 600 });
  let heard = 0;
  source.onChange(() => (heard += 1));
  source.start();
  await eventually('it says so', () => {
    const state = source.state();
    return state.kind === 'connecting' && state.lastError?.includes('does not exist') === true;
  });
  expect(await snapshot(source)).toMatchObject({ rootExists: false, records: new Map() });
  const wanted = new Map([['state/agents/lb1', Buffer.from('{}')]]);
  expect(await source.publish(wanted)).toMatchObject({ ok: false, error: { transient: true } });
  expect(existsSync(store.path)).toBe(false);

  await rename(away, store.path);
  await eventually('a session', () => source.state().kind === 'connected');
  await eventually('it is noticed', () => heard > 0);
  expect((await snapshot(source)).records.has('config/vips/web')).toBe(true);
  await eventually('what was wanted is published', () => existsSync(store.file('state/agents/lb1')));

  const poked = pokes(source);
  await store.put('config/vips/other', '{}');
  await poked.next();
  await until(source, (read) => read.records.has('config/vips/other'));
  await rename(store.path, away);
  const gone = await eventually('its absence is believed', async () => {
    const read = await value(source.snapshot());
    return read.rootExists ? null : read;
  });
  expect(gone.records.size).toBe(0);
  await source.close({ keepEphemeral: false });
  expect(existsSync(store.path)).toBe(false);
});
