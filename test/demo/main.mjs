// `npm run demo [-- --store zookeeper|etcd|directory] [--dataplane ipvs|nftables]`: does its own set-up on a fresh machine,
// then tells the story in a kernel that has IPVS, or by rules of nf_tables in this machine's own. Plain JavaScript without dependencies, because it runs before they are installed.
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { matchesLock } from '../report.mjs';

const ROOT = resolve(import.meta.dirname ?? '.', '../..');
const OLDEST_NODE = 20;
const STORES = ['zookeeper', 'etcd', 'directory'];
/** What each needs beside the store, and where the story is told. */
const DATAPLANES = {
  ipvs: { parts: ['iproute2', 'ipvsadm', 'bird'], lab: [] },
  nftables: { parts: ['iproute2', 'nftables', 'bird'], lab: ['--kernel', 'native'] },
};
const STORY_SECONDS = 900;

const USAGE = `usage: npm run demo [-- --store zookeeper|etcd|directory] [--dataplane ipvs|nftables]

Starts a store, a BIRD router, three web servers, a client and two agents on two directors, each in a network
namespace, and tells a story in which every step is checked. Needs root, Node.js ${OLDEST_NODE} and git; what else it needs it
fetches from Debian and npm without installing it. With --dataplane nftables this machine's own kernel forwards, by rules
of nf_tables; otherwise it needs a kernel with IPVS, and brings one if the machine's has none.
`;

function say(line) {
  process.stdout.write(`${line}\n`);
}

function fail(line, code = 1) {
  process.stderr.write(`demo: ${line}\n`);
  process.exit(code);
}

/** Options as `--name value` or `--name=value`, each at most once. */
function chosen(args) {
  if (args.includes('--help') || args.includes('-h')) {
    say(USAGE);
    process.exit(0);
  }
  const allowed = { store: STORES, dataplane: Object.keys(DATAPLANES) };
  const words = args.flatMap((arg) => (arg.startsWith('--') ? arg.split('=') : [arg]));
  const choice = {};
  for (let at = 0; at < words.length; at += 2) {
    const name = words[at].replace(/^--/, '');
    const value = words[at + 1] ?? '';
    if (!words[at].startsWith('--') || !allowed[name]?.includes(value) || choice[name] !== undefined) {
      fail(`bad arguments: ${args.join(' ')}\n\n${USAGE}`, 2);
    }
    choice[name] = value;
  }
  return { store: 'zookeeper', dataplane: 'ipvs', ...choice };
}

function run(file, args) {
  const { status, error } = spawnSync(file, args, { cwd: ROOT, stdio: 'inherit' });
  if (error) fail(`cannot run ${file}: ${error.message}`);
  return status ?? 1;
}

function installed() {
  const lock = join(ROOT, 'node_modules/.package-lock.json');
  if (!existsSync(lock)) return false;
  return matchesLock(readFileSync(join(ROOT, 'package-lock.json'), 'utf8'), readFileSync(lock, 'utf8'));
}

const { store, dataplane } = chosen(process.argv.slice(2));
const major = Number(process.versions.node.split('.')[0]);
if (major < OLDEST_NODE) fail(`Node.js ${process.versions.node} is too old: install version ${OLDEST_NODE} or later`);
if (process.getuid?.() !== 0)
  fail('it makes network namespaces and programs the kernel, so it needs root: try sudo npm run demo');

say('[1/3] dependencies');
if (installed()) say('      already installed');
else if (run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund']) !== 0) fail('npm ci failed, see above');
say('[2/3] building vipkeeper');
if (run(join(ROOT, 'node_modules/.bin/tsx'), ['packaging/build.ts']) !== 0) fail('the build failed, see above');
say(`[3/3] the story by ${dataplane}, with the store in ${store}; the lab fetches what this machine lacks`);
const needs = DATAPLANES[dataplane];
const parts = [...needs.parts, ...(store === 'directory' ? [] : [store])].join(',');
const story = [join(ROOT, 'node_modules/.bin/tsx'), 'test/demo/inside.ts', store, dataplane];
const lab = ['test/lab/run.ts', ...needs.lab, '--parts', parts, '--timeout', String(STORY_SECONDS), '--', ...story];
process.exit(run(join(ROOT, 'node_modules/.bin/tsx'), lab));
