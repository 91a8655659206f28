import { expect, it, onTestFinished } from 'vitest';
import type { Verdict } from '../../../src/checks/port.ts';
import { createLocalCheckRunner } from '../../../src/checks/runner.ts';
import { silentLog } from '../../../src/core/ports.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { wanted } from '../../fakes/scripted-check.ts';
import { eventually } from '../../lab/eventually.ts';
import { answers, OK, define, real } from './probing.ts';

/** Keeps this thread, and with it the checks on it, from doing anything. */
function standStill(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function localRunner() {
  const runner = createLocalCheckRunner({ clock: systemClock, random: Math.random, log: silentLog });
  onTestFinished(() => runner.close());
  return runner;
}

it('silence that we slept through is not held against a real', async () => {
  let silent = false;
  const asked: number[] = [];
  const port = await real((socket) => {
    socket.once('data', () => {
      asked.push(performance.now());
      if (!silent) socket.end(OK);
    });
  });
  const runner = localRunner();
  const definition = define({ type: 'http', interval: '400ms', timeout: '250ms', jitter: 0 });
  runner.setWanted([wanted('a', { address: '127.0.0.1', port, definition, rise: 1, fall: 1 })]);
  // What a poke shows: it comes a turn later than the verdict.
  const seen: (Verdict | undefined)[] = [];
  runner.onChange(() => seen.push(runner.verdicts().get('a')));
  await eventually('the first verdict', () => seen.at(-1)?.state === 'up');

  silent = true;
  // Each probe from now on is cut short by a standstill longer than half its timeout.
  for (let probe = 0; probe < 6; probe++) {
    const before = asked.length;
    await eventually('the next probe is under way', () => asked.length > before, { everyMs: 2 });
    standStill(300);
  }
  // The same silence, with the loop on time, is a failure.
  await eventually('down is proven', () => seen.at(-1)?.state === 'down');
  expect(seen).toMatchObject([
    { state: 'up' },
    { state: 'unknown', cause: expect.stringMatching(/stood still for \d+ ms/) as string },
    { state: 'down', cause: expect.stringMatching(/^no answer from .* within 250 ms/) as string },
  ]);
});

it('an answer that came while we slept is heard, though its deadline has passed', async () => {
  // The real lives on this thread too, so it has answered before the standstill begins.
  let answered = 0;
  const port = await real((socket) => {
    socket.once('data', () => {
      socket.end(OK, () => {
        answered++;
        standStill(300);
      });
    });
  });
  const runner = localRunner();
  const definition = define({ type: 'http', interval: '250ms', timeout: '250ms', jitter: 0 });
  runner.setWanted([wanted('a', { address: '127.0.0.1', port, definition, rise: 1, fall: 1 })]);
  await eventually('some answers', () => answered >= 5);
  expect(runner.verdicts().get('a')).toMatchObject({ state: 'up', cause: expect.stringMatching(/^200 in/) as string });
});

it('a refusal counts, late or not', async () => {
  const port = await real(answers('HTTP/1.1 503 No\r\nContent-Length: 0\r\n\r\n'));
  const runner = localRunner();
  const definition = define({ type: 'http', interval: '100ms', timeout: '100ms', jitter: 0 });
  runner.setWanted([wanted('a', { address: '127.0.0.1', port, definition, rise: 1, fall: 3 })]);
  await eventually('down', () => {
    standStill(80);
    return runner.verdicts().get('a')?.state === 'down';
  });
  expect(runner.verdicts().get('a')?.cause).toBe('status 503, wanted 200-299');
});
