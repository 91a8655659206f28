import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../../..');

/** Settings by name, of the lines that begin with a word. */
function settingsOf(file: string, line: RegExp): Readonly<Record<string, string>> {
  const found = [...readFileSync(resolve(ROOT, file), 'utf8').matchAll(line)];
  return Object.fromEntries(found.map(([, name = '', value = '']) => [name, value]));
}

it('the container gives the agent the environment that the systemd unit does', () => {
  const unit = settingsOf('packaging/vipkeeper.service', /^Environment=(\w+)=(.*)$/gm);
  expect(Object.keys(unit)).toContain('NODE_OPTIONS');
  expect(settingsOf('docker/Dockerfile', /^ENV (\w+)=(.*)$/gm)).toEqual(unit);
});
