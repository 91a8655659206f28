import { afterEach, describe, expect, it } from 'vitest';
import { MetricsRegistry } from '../../../src/api/metrics.ts';
import { createApi } from '../../../src/api/server.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { ok } from '../../../src/core/result.ts';
import type { VerificationView } from '../../../src/model/verification.ts';
import { statusView } from '../../fakes/status-view.ts';
import { harness } from './cli-harness.ts';

const QUIET: VerificationView = {
  compared: true,
  differences: [],
  differenceCount: 0,
  operations: 0,
  failures: [],
  foreignServices: 1,
};

const closers: (() => Promise<unknown>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0)) await close();
});

async function verify(found: Partial<VerificationView>, ...options: readonly string[]) {
  const api = createApi({
    status: () => statusView(),
    verify: () => Promise.resolve(ok({ ...QUIET, ...found })),
    log: silentLog,
    metrics: new MetricsRegistry(),
    listen: { host: '127.0.0.1', port: 0 },
    version: '1.2.3',
  });
  closers.push(() => api.stop());
  const { address } = await api.start();
  return harness().run('verify', '--api', address ?? '', ...options);
}

describe('verify', () => {
  it('says that nobody changed anything', async () => {
    expect(await verify({})).toMatchObject({
      exitCode: 0,
      out: 'nobody has changed anything of ours\noperations carried out: 0\nservices of others in the kernel, left alone: 1\n',
    });
  });

  it('prints what was found, without letting it write to the terminal', async () => {
    const differences = [{ kind: 'service-gone', found: 'service tcp 192.0.2.10:80 is gone\u001b[2J' }];
    const { exitCode, out } = await verify({ differences, differenceCount: 3, operations: 4 });
    expect(exitCode).toBe(0);
    expect(out).toContain('changed by somebody else (3):\n  service tcp 192.0.2.10:80 is gone');
    expect(out).toContain('  and 2 more\noperations carried out: 4\n');
    expect(out).not.toContain('\u001b');
  });

  it('fails where something cannot be mended, and says what', async () => {
    const { exitCode, out, err } = await verify({ failures: ['add service tcp 192.0.2.10:80: ENOMEM'] });
    expect(exitCode).not.toBe(0);
    expect(out).toContain('FAILED: add service tcp 192.0.2.10:80: ENOMEM\n');
    expect(err).toContain('not everything is as it should be');
  });

  it('tells that it had nothing to compare with', async () => {
    expect((await verify({ compared: false })).out).toContain('nothing was known to compare with');
  });

  it('gives the answer as it came', async () => {
    expect(JSON.parse((await verify({}, '--json')).out)).toEqual(QUIET);
  });
});
