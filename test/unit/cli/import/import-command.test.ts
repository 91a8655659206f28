import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Outcome } from '../cli-harness.ts';
import { harness } from '../cli-harness.ts';

let folder = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'vipkeeper-import-'));
});

afterEach(() => {
  rmSync(folder, { recursive: true });
});

const SERVICE = 'virtual_server 203.0.113.10 80 {\n  protocol TCP\n  real_server 10.0.0.11 80 {\n  }\n}\n';

function importing(text: string, ...args: string[]): Promise<Outcome> {
  const file = join(folder, 'keepalived.conf');
  writeFileSync(file, text);
  return harness().run('import', file, ...args);
}

describe('vipkeeper import', () => {
  it('writes records that lint has nothing against', async () => {
    const target = join(folder, 'records');
    const { exitCode, out } = await importing(SERVICE, target);
    expect({ exitCode, out }).toEqual({ exitCode: 0, out: `3 records in ${target}; 0 lines left out, 0 changed\n` });
    const service = readFileSync(join(target, 'config/services/203.0.113.10-tcp-80.json'), 'utf8');
    expect(JSON.parse(service)).toMatchObject({ vip: '203.0.113.10', match: { ports: ['80'], protocols: ['tcp'] } });
    const linted = await harness().run('lint', target);
    expect(linted).toMatchObject({ exitCode: 0, out: '3 records, no agent of their own: no problems\n' });
  });

  it('reads what the file includes, in the order of its names', async () => {
    mkdirSync(join(folder, 'conf.d'));
    writeFileSync(join(folder, 'conf.d/b.conf'), SERVICE.replace('.10 80', '.11 80'));
    writeFileSync(join(folder, 'conf.d/a.conf'), `static_routes {\n}\n${SERVICE}`);
    writeFileSync(join(folder, 'conf.d/a.bak'), 'x {');
    const { exitCode, out } = await importing('include conf.d/*.conf');
    expect(exitCode).toBe(0);
    expect(out).toBe(
      `${join(folder, 'conf.d/a.conf')}:1: left out: static_routes: routes of the host are not touched\n` +
        '6 records (name a directory to keep them); 1 line left out, 0 changed\n',
    );
  });

  it('says what the records would be refused for, and exits with it', async () => {
    const { exitCode, out } = await importing(SERVICE.replace('protocol TCP', 'protocol TCP\n  lb_algo best'));
    expect(exitCode).toBe(3);
    expect(out).toContain('error: config/services/203.0.113.10-tcp-80: scheduler: found "best", allowed one of "rr"');
  });

  it('gives machines the records, the notes and the findings', async () => {
    const { out } = await importing(`${SERVICE}vrrp_script x {\n}\n`, '--json');
    const document = JSON.parse(out) as { records: object; notes: unknown[]; findings: unknown[] };
    expect(Object.keys(document.records)).toHaveLength(3);
    expect(document.notes).toMatchObject([{ line: 6, found: 'vrrp_script x', kind: 'left out' }]);
    expect(document.findings).toEqual([]);
  });

  it('takes the address of a mark from its option, more than once', async () => {
    const text = SERVICE.replace('203.0.113.10 80', 'fwmark 7');
    const addresses = ['--mark-address', '7=203.0.113.7', '--mark-address', '7=203.0.113.8'];
    const { exitCode, out } = await importing(text, ...addresses, '--json');
    expect(exitCode).toBe(0);
    const { records } = JSON.parse(out) as { records: Record<string, unknown> };
    expect(records['config/vips/mark-7']).toEqual({ addresses: ['203.0.113.7', '203.0.113.8'] });
    expect(await importing(text, '--mark-address', '7=here')).toMatchObject({ exitCode: 2 });
  });

  it('reads the grammar of the Go clone', async () => {
    const file = join(folder, 'lvs.cfg');
    writeFileSync(file, 'service 203.0.113.10 80 {\nproto tcp\nquorum 1\nreal 10.0.0.11 80 {\ncheck tcp\n}\n}\n');
    const { exitCode, out } = await harness().run('import', '--format', 'go-keepalived', file);
    expect({ exitCode, out }).toEqual({
      exitCode: 0,
      out: '4 records (name a directory to keep them); 0 lines left out, 0 changed\n',
    });
  });

  it('fails aloud where the file cannot be read or understood', async () => {
    expect(await harness().run('import', join(folder, 'none'))).toMatchObject({
      exitCode: 1,
      err: expect.stringContaining('no such file') as string,
    });
    expect(await importing('virtual_server 203.0.113.10 80 {')).toMatchObject({
      exitCode: 3,
      err: expect.stringContaining('has no closing brace') as string,
    });
  });
});
