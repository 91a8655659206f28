#!/usr/bin/env node
import { loadBootstrap } from '../agent/bootstrap-file.ts';
import { checkCatalog } from '../checks/decode.ts';
import { silentLog } from '../core/ports.ts';
import { systemClock } from '../core/system-clock.ts';
import { readVersion } from '../core/version.ts';
import type { CliDeps, CliIo } from './io.ts';
import { runCli } from './run.ts';

const io: CliIo = {
  out: (text) => void process.stdout.write(text),
  err: (text) => void process.stderr.write(text),
  async readInput(limit) {
    const chunks: Buffer[] = [];
    let length = 0;
    for await (const chunk of process.stdin as AsyncIterable<Buffer>) {
      chunks.push(chunk);
      length += chunk.length;
      if (length > limit) break;
    }
    return Buffer.concat(chunks);
  },
  interactive: process.stdin.isTTY,
  env: process.env,
};

/* Stores and agent are loaded when a command needs them, so that the others answer at once. */
const deps: CliDeps = {
  version: readVersion(),
  clock: systemClock,
  checks: checkCatalog,
  loadBootstrap,
  async openStore(bootstrap) {
    const { openStoreClient } = await import('../sources/open-source.ts');
    const { storeSettings } = await import('../agent/store-settings.ts');
    return openStoreClient(storeSettings(bootstrap, 'operator'), {
      clock: systemClock,
      random: Math.random,
      log: silentLog,
    });
  },
  async runAgent(bootstrapPath, options) {
    const { runAgent } = await import('../agent/main.ts');
    return runAgent(bootstrapPath, options);
  },
  interrupted: () =>
    new Promise((resolve) => {
      process.once('SIGINT', () => resolve());
      process.once('SIGTERM', () => resolve());
    }),
  signal: (pid, name) => void process.kill(pid, name),
};

// A reader that has seen enough (`vipkeeper ls -r | head`) is no failure.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

process.exitCode = await runCli(process.argv.slice(2), { io, deps });
