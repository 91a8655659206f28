// `npm test`: does its own set-up on a fresh machine, runs everything, and ends with one line `N passed, N failed`.
// Plain JavaScript without dependencies, because it runs before they are installed.
//   --unit   the unit tests only: seconds, no root, no servers
//   --long   the large counts of property and fuzz tests (VIPKEEPER_LONG=1)
import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { createInterface } from 'node:readline';
import { LineFilter, finalLine, matchesLock, readReport } from './report.mjs';

const ROOT = resolve(import.meta.dirname ?? '.', '..');
const REPORTS = join(ROOT, '.cache/test');
const OLDEST_NODE = 20;
const HOST_PROJECTS = ['unit', 'fault', 'system'];
/** What the system tests need besides the lab's own default list; fetched ahead, while the compiler runs. */
const PARTS = [
  'zookeeper',
  'zkcli',
  'kazoo',
  'etcd',
  'etcdctl',
  'bird',
  'frr',
  'gobgp',
  'exabgp',
  'iproute2',
  'ipvsadm',
  'openssl',
  'nftables',
];

const options = new Set(process.argv.slice(2));
const unitOnly = options.has('--unit');
const long = options.has('--long');
const minutes = long ? 90 : 15;

const results = { passed: 0, failed: 0, skipped: 0, failures: [] };
const children = new Set();
let step = 0;
const steps = unitOnly ? 2 : 10;

function say(line) {
  process.stdout.write(`${line}\n`);
}

function announce(title) {
  step += 1;
  const started = performance.now();
  const label = `[${step}/${steps}] ${title}`;
  say(label);
  return (outcome) => say(`${label}: ${outcome} (${((performance.now() - started) / 1_000).toFixed(1)} s)`);
}

function fail(name) {
  results.failed += 1;
  results.failures.push(name);
}

/** Runs a command, its output under a prefix as it comes, or only when it failed. Resolves to the exit status. */
function run(file, args, { prefix = '', quiet = false, env = {} } = {}) {
  return new Promise((done) => {
    const child = spawn(file, args, {
      cwd: ROOT,
      env: { ...process.env, NO_COLOR: '1', FORCE_COLOR: undefined, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    children.add(child);
    const held = [];
    const filter = new LineFilter();
    const onLine = (line) => {
      if (quiet) held.push(line);
      else if (filter.passes(line)) say(prefix + line);
    };
    createInterface({ input: child.stdout }).on('line', onLine);
    createInterface({ input: child.stderr }).on('line', onLine);
    const timer = setTimeout(() => {
      say(`${prefix}killed after ${minutes} minutes`);
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), 5_000).unref();
    }, minutes * 60_000);
    const end = (status) => {
      clearTimeout(timer);
      children.delete(child);
      if (quiet && status !== 0) for (const line of held) say(`${prefix}${line}`);
      done(status);
    };
    child.once('error', (error) => {
      say(`${prefix}cannot run ${file}: ${error.message}`);
      end(127);
    });
    child.once('close', (code) => end(code ?? 1));
  });
}

const bin = (name) => join(ROOT, 'node_modules/.bin', name);

/** A step that is right or wrong as a whole: it counts when it fails. */
async function check(title, file, args, settings = {}) {
  const finish = announce(title);
  const status = await run(file, args, { quiet: true, prefix: '      | ', ...settings });
  finish(status === 0 ? 'ok' : `FAILED (exit status ${status})`);
  if (status !== 0) fail(title);
  return status === 0;
}

function dependenciesAreInstalled() {
  const installed = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(installed)) return false;
  return matchesLock(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'), readFileSync(installed, 'utf8'));
}

async function dependencies() {
  const major = Number(process.versions.node.split('.')[0]);
  if (major < OLDEST_NODE) {
    say(`Node.js ${process.versions.node} is too old: install version ${OLDEST_NODE} or later.`);
    fail('Node.js version');
    return false;
  }
  if (dependenciesAreInstalled()) {
    announce('dependencies')('already installed');
    return true;
  }
  return check('dependencies (npm ci)', 'npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']);
}

/** `command` is how vitest is started; the report file tells what happened. */
async function tests(title, prefix, projects, command) {
  const finish = announce(title);
  const file = join(REPORTS, `${projects.join('-')}.json`);
  rmSync(file, { force: true });
  const words = [...command, bin('vitest'), 'run', ...projects.flatMap((name) => ['--project', name])];
  words.push('--reporter=default', '--reporter=json', `--outputFile.json=${file}`);
  const [program, ...args] = words;
  const env = long ? { VIPKEEPER_LONG: '1' } : {};
  const status = await run(program, args, { prefix, env });
  const report = existsSync(file) ? readReport(readFileSync(file, 'utf8'), ROOT) : undefined;
  if (report === undefined) {
    finish(`FAILED: no report (exit status ${status})`);
    fail(`${title}: ended without a report`);
    return;
  }
  results.passed += report.passed;
  results.failed += report.failed;
  results.skipped += report.skipped;
  results.failures.push(...report.failures);
  if (status !== 0 && report.failed === 0) fail(`${title}: exit status ${status} although no test failed`);
  if (status === 0 && report.passed === 0) fail(`${title}: no test ran`);
  finish(finalLine(report));
}

/** The words before a command that runs it in a kernel of the lab. */
function inLab(...options) {
  return [bin('tsx'), 'test/lab/run.ts', '--timeout', String(minutes * 60), ...options, '--'];
}

/** Whether a command ends well in a kernel of the lab. */
async function worksIn(lab, ...command) {
  const [program, ...args] = [...lab, ...command];
  return (await run(program, args, { quiet: true, prefix: 'lab   | ' })) === 0;
}

const NFT_PARTS = 'iproute2,ipvsadm,nftables,curl';
const NAT_CHAIN = 'add table inet t; add chain inet t c { type nat hook output priority 0; }';

/** On this machine's own kernel, in a network namespace of its own: User-Mode Linux has no NAT for nf_tables. */
async function nftablesTests() {
  const native = inLab('--kernel', 'native', '--parts', NFT_PARTS);
  const title = 'tests on a kernel that has nf_tables';
  if (await worksIn(native, 'nft', NAT_CHAIN)) {
    await tests(title, 'nft   | ', ['nftables'], native);
  } else {
    announce(title)('NOT RUN: this kernel has none that can do NAT, or does not let us');
  }
}

/** IPVS and nf_tables in one kernel: this machine's own, or in the long run a machine in software, which is slow. */
async function sharedKernelTests() {
  const title = 'tests on a kernel that has IPVS and nf_tables';
  const native = inLab('--kernel', 'native', '--parts', NFT_PARTS);
  const both = `{ modprobe -q ip_vs 2>/dev/null; test -e /proc/net/ip_vs; } && nft '${NAT_CHAIN}'`;
  if (await worksIn(native, 'sh', '-c', both)) {
    await tests(title, 'shared| ', ['ipvs-nftables'], native);
  } else if (long) {
    await tests(title, 'shared| ', ['ipvs-nftables'], inLab('--kernel', 'qemu', '--parts', NFT_PARTS));
  } else {
    announce(title)("NOT RUN: this machine's own has not both; `npm run test:long` runs them in a machine in software");
  }
}

async function everything() {
  if (!(await dependencies())) return;
  mkdirSync(REPORTS, { recursive: true });
  if (unitOnly) {
    await tests('unit tests', '', ['unit'], [process.execPath]);
    return;
  }
  const parts = check('servers and tools that this machine lacks', bin('tsx'), ['test/lab/parts-main.ts', ...PARTS]);
  await check('build', bin('tsx'), ['packaging/build.ts']);
  await parts;
  // Two lanes for two cores: a guest has one CPU and takes the longest.
  await Promise.all([
    (async () => {
      await tests('tests in a kernel that has IPVS', 'kernel| ', ['kernel'], inLab());
      await sharedKernelTests();
    })(),
    (async () => {
      await check('types', bin('tsc'), ['-p', 'tsconfig.json']);
      await check('lint', bin('eslint'), ['.', '--max-warnings', '0']);
      await check('format', bin('prettier'), ['--check', '.']);
      await tests('unit, fault and system tests', 'host  | ', HOST_PROJECTS, [process.execPath]);
      await nftablesTests();
    })(),
  ]);
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.on(signal, () => {
    for (const child of children) child.kill('SIGTERM');
    process.exitCode = 1;
    fail(`stopped by ${signal}`);
  });
}

await everything();
if (results.failures.length > 0) say(`\nFailed:\n${results.failures.map((name) => `  ${name}`).join('\n')}\n`);
say(finalLine(results));
if (results.failed > 0 || results.passed === 0) process.exitCode = 1;
