import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { loadBootstrap } from '../../../src/agent/bootstrap-file.ts';
import { storeSettings } from '../../../src/agent/store-settings.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { openStoreClient } from '../../../src/sources/open-source.ts';
import type { Harness } from './cli-harness.ts';
import { harness } from './cli-harness.ts';

let folder = '';
let cli: Harness;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vipkeeper-cli-'));
  const bootstrap = { agent: 'lb1', store: { directory: { path: join(folder, 'store') } }, stateDir: folder };
  writeFileSync(join(folder, 'bootstrap.json'), JSON.stringify(bootstrap));
  const deps = { clock: systemClock, random: () => 0.5, log: silentLog };
  cli = harness(
    { loadBootstrap, openStore: (loaded) => openStoreClient(storeSettings(loaded, 'operator'), deps) },
    { VIPKEEPER_BOOTSTRAP: join(folder, 'bootstrap.json') },
  );
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const VIP = '{ "addresses": ["203.0.113.10"] }';
const SERVICE = '{ "vip": "web", "match": { "ports": ["80"] } }';

describe('a directory store', () => {
  it('is filled from nothing, listed, edited and emptied again', async () => {
    const { run, pipe } = cli;
    expect(await run('ls')).toMatchObject({ exitCode: 1 });
    expect(await run('set', 'config/vips/web', VIP)).toMatchObject({ exitCode: 0, out: 'config/vips/web: created\n' });
    expect(readFileSync(join(folder, 'store/config/vips/web.json'), 'utf8')).toBe(VIP);
    expect(await run('set', 'config/services/web', SERVICE)).toMatchObject({ exitCode: 0 });
    for (const [name, address] of Object.entries({ a: '10.0.0.11', b: '10.0.0.12' })) {
      const real = JSON.stringify({ address });
      expect(await pipe(real, 'set', `config/services/web/reals/${name}`)).toMatchObject({ exitCode: 0 });
    }
    expect((await run('ls', '-r', 'config/services')).out).toBe(
      'config/services/web/\nconfig/services/web/reals/\nconfig/services/web/reals/a\nconfig/services/web/reals/b\n',
    );
    const got = await run('get', '--json', 'config/vips/web');
    const { modified, value } = JSON.parse(got.out) as { modified: string; value: unknown };
    expect(value).toEqual({ addresses: ['203.0.113.10'] });
    const edited = VIP.replace('.10', '.11');
    expect(await run('set', '--expect', modified, 'config/vips/web', edited)).toMatchObject({ exitCode: 0 });
    expect(await run('set', '--expect', modified, 'config/vips/web', VIP)).toMatchObject({ exitCode: 5 });
    expect((await run('get', 'config/vips/web')).out).toBe(`${edited}\n`);
    expect(await run('rm', 'config/services/web')).toMatchObject({ exitCode: 1 });
    expect(await run('rm', '-r', 'config/services/web')).toMatchObject({ exitCode: 0 });
    expect(await run('rm', 'config/vips/web')).toMatchObject({ exitCode: 0 });
    expect(existsSync(join(folder, 'store/config/services/web.json'))).toBe(false);
    expect(existsSync(join(folder, 'store/config/services/web/reals'))).toBe(false);
  });

  it('takes a record where an editor has made the folder first', async () => {
    mkdirSync(join(folder, 'store/config/services/web/reals'), { recursive: true });
    await cli.run('set', 'config/vips/web', VIP);
    expect(await cli.run('set', 'config/services/web', SERVICE)).toMatchObject({ exitCode: 0 });
    expect(await cli.run('get', 'config/services/web')).toMatchObject({ exitCode: 0, out: `${SERVICE}\n` });
  });

  it('refuses a bad record before anything is written', async () => {
    expect(await cli.run('set', 'config/vips/web', '{ "adresses": ["203.0.113.10"] }')).toMatchObject({ exitCode: 3 });
    expect(existsSync(join(folder, 'store/config/vips/web.json'))).toBe(false);
  });
});

describe('the bootstrap file', () => {
  it.each([
    ['missing', null],
    ['empty', ''],
    ['no JSON', 'agent: lb1'],
    ['without a store', '{"agent": "lb1"}'],
    ['with a misspelt field', '{"store": {"directory": {"path": "/x"}}, "statedir": "/x"}'],
  ])('that is %s ends every command with 3 and a reason', async (_what, text) => {
    const path = join(folder, 'other.json');
    if (text !== null) writeFileSync(path, text);
    const outcome = await cli.run('get', 'config/vips/web', '--bootstrap', path);
    expect(outcome.exitCode).toBe(3);
    expect(outcome.err).toContain(`the bootstrap file ${path} cannot be used:\n  `);
  });
});
