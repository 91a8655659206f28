import { copyFileSync, rmSync, writeFileSync } from 'node:fs';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ManualClock } from '../../fakes/manual-clock.ts';
import { RecordingLog } from '../../fakes/recording-log.ts';
import { pem, servedCertificate, tlsFiles } from '../../fakes/tls-files.ts';

function served(clock = new ManualClock()) {
  const files = tlsFiles();
  const log = new RecordingLog();
  const certificate = servedCertificate(files, { clock, log });
  let changes = 0;
  certificate.onChange(() => changes++);
  certificate.start();
  onTestFinished(() => certificate.stop());
  const shown = (): string => certificate.material.certificate;
  return { files, log, certificate, clock, shown, changes: () => changes };
}

const HAS_PROBLEMS = 'the certificate of the API has problems';
const HAS_ANOTHER = 'the API has another certificate';

describe('the certificate that is served', () => {
  it('is another one within ten seconds of being replaced, and once', () => {
    const { files, log, clock, shown, changes } = served();
    clock.advance(30_000);
    expect([changes(), log.lines]).toEqual([0, []]);
    writeFileSync(files.certificate, pem('client.pem'));
    writeFileSync(files.key, pem('client.key'));
    expect(shown()).toBe(pem('server.pem'));
    clock.advance(10_000);
    expect(shown()).toBe(pem('client.pem'));
    clock.advance(30_000);
    expect([changes(), log.about(HAS_ANOTHER)]).toEqual([1, [HAS_ANOTHER]]);
  });

  it('is another one at once where a client comes', () => {
    const { files, certificate, shown } = served();
    copyFileSync(files.certificate, files.clientCa);
    certificate.refresh();
    expect(certificate.material.clientCa).toBe(shown());
  });

  it('is not looked for by more than twenty clients in a second', () => {
    const { files, certificate, clock, shown } = served();
    for (let client = 0; client < 20; client++) certificate.refresh();
    writeFileSync(files.certificate, pem('client.pem'));
    writeFileSync(files.key, pem('client.key'));
    clock.advance(999);
    certificate.refresh();
    expect(shown()).toBe(pem('server.pem'));
    clock.advance(1);
    certificate.refresh();
    expect(shown()).toBe(pem('client.pem'));
    // The twentieth of that second is the last that looks.
    for (let client = 1; client < 19; client++) certificate.refresh();
    writeFileSync(files.certificate, pem('server.pem'));
    writeFileSync(files.key, pem('server.key'));
    certificate.refresh();
    expect(shown()).toBe(pem('server.pem'));
  });

  it('stays while the new pair is broken, which is said once', () => {
    const { files, log, certificate, clock, shown, changes } = served();
    writeFileSync(files.certificate, pem('client.pem'));
    // A client that comes between the two files is served by the old pair, and nothing is logged.
    certificate.refresh();
    expect([shown(), log.lines]).toEqual([pem('server.pem'), []]);
    clock.advance(60_000);
    expect([shown(), changes()]).toEqual([pem('server.pem'), 0]);
    expect(log.lines).toEqual([{ level: 'error', message: HAS_PROBLEMS, fields: expect.anything() as unknown }]);
    expect(JSON.stringify(log.lines[0]?.fields)).toContain('not the key of the first certificate');
    expect(certificate.problems()).toMatchObject([
      { path: files.key, field: 'api.tls.key', effect: 'last good version stays' },
    ]);
    // Another fault is news again, and so is the same one after it was mended.
    rmSync(files.key);
    clock.advance(60_000);
    expect(log.about(HAS_PROBLEMS)).toHaveLength(2);
    writeFileSync(files.key, pem('client.key'));
    clock.advance(10_000);
    expect([shown(), certificate.problems()]).toEqual([pem('client.pem'), []]);
    rmSync(files.key);
    clock.advance(60_000);
    expect(log.about(HAS_PROBLEMS)).toHaveLength(3);
  });

  it('serves on when the old files are put back', () => {
    const { files, certificate, clock, changes } = served();
    writeFileSync(files.key, 'nonsense');
    clock.advance(10_000);
    expect(certificate.problems()).toHaveLength(1);
    writeFileSync(files.key, pem('server.key'));
    clock.advance(10_000);
    expect([certificate.problems(), changes()]).toEqual([[], 0]);
  });

  it('is a problem once it has expired, and in force all the same', () => {
    const { files, log, certificate, clock } = served();
    clock.jumpWallClock(Date.parse('2121-01-01T00:00:00Z') - clock.now());
    clock.advance(60_000);
    expect(log.about(HAS_PROBLEMS)).toHaveLength(1);
    expect(certificate.problems()).toMatchObject([{ path: files.certificate, effect: 'in force' }]);
    expect(certificate.problems()[0]?.found).toMatch(/expired at 2120-/);
  });

  it('is not looked at any more after the end', () => {
    const { certificate, clock } = served();
    certificate.stop();
    expect(clock.pendingTimers).toBe(0);
  });
});
