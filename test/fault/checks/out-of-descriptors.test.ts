import { spawn } from 'node:child_process';
import { expect, it, onTestFinished } from 'vitest';
import { createLocalCheckRunner } from '../../../src/checks/runner.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { wanted } from '../../fakes/scripted-check.ts';
import { eventually } from '../../lab/eventually.ts';
import { define, real } from './probing.ts';

/**
 * A shell that was started while there were descriptors for it. It changes the soft limit on open files of this very
 * process (prlimit of util-linux), and puts it back at the latest when it ends.
 */
function shellBeside(): (command: string) => Promise<string> {
  const shell = spawn('sh', { stdio: ['pipe', 'pipe', 'inherit'] });
  onTestFinished(() => void shell.stdin.end());
  return (command) =>
    new Promise((resolve) => {
      shell.stdout.once('data', (output: Buffer) => resolve(output.toString().trim()));
      shell.stdin.write(`${command}; echo .\n`);
    });
}

it('a process without descriptors left knows nothing, and says why', async () => {
  const port = await real((socket) => socket.on('end', () => socket.end()).resume());
  const runner = createLocalCheckRunner({ clock: systemClock, random: Math.random, log: silentLog });
  onTestFinished(() => runner.close());
  const definition = define({ type: 'tcp', interval: '100ms', timeout: '100ms' });
  runner.setWanted([wanted('a', { address: '127.0.0.1', port, definition, rise: 1, fall: 2 })]);
  const verdict = () => runner.verdicts().get('a');
  const seen: (string | undefined)[] = [];
  runner.onChange(() => seen.push(verdict()?.state));
  await eventually('up', () => seen.at(-1) === 'up');

  const shell = shellBeside();
  const prlimit = `prlimit --pid ${process.pid} --nofile`;
  const before = parseInt(await shell(`${prlimit} --noheadings --output SOFT`), 10);
  expect(before).toBeGreaterThan(64);
  // Below what is open already, so that nothing new can be opened.
  await shell(`${prlimit}=3:`);
  try {
    await eventually('unknown', () => seen.at(-1) === 'unknown');
    expect(verdict()?.cause).toMatch(/^not run: too many open files in this process \(EMFILE, 127\.0\.0\.1:\d+\)$/);
  } finally {
    await shell(`${prlimit}=${before}:`);
  }
  await eventually('up again', () => seen.at(-1) === 'up');
  expect(seen).toEqual(['up', 'unknown', 'up']);
});
