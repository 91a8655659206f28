import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { dirname, isAbsolute, join, relative, resolve } from 'node:path';
import { Apt, runTool } from './apt.ts';
import { withFileLock } from './file-lock.ts';
import { type PartName, PARTS, type PartSpec } from './part-table.ts';

export type { PartName } from './part-table.ts';

/** Where to find what `requireParts` made sure of. */
export interface Parts {
  /** This process's environment with the cache's folders put first. Give it to child processes only. */
  readonly env: NodeJS.ProcessEnv;
  /** A path as the Debian package names it (`/usr/share/java/zookeeper.jar`), in the cache or on the machine. */
  path(absolute: string): string;
  /** The absolute path of a program, by name. */
  binary(name: string): string;
}

const REPOSITORY = resolve(import.meta.dirname, '../..');
/** The variables by which `Parts.env` differs from this process's own environment. */
export const PART_VARIABLES: readonly string[] = ['PATH', 'LD_LIBRARY_PATH', 'PYTHONPATH', 'XTABLES_LIBDIR'];
/** Set for every process in the lab, to the kind of kernel. */
export const INSIDE_LAB = 'VIPKEEPER_LAB_KERNEL';
const WRAPPERS = 'wrappers';
const SYSTEM_BINARIES = ['/usr/local/sbin', '/usr/local/bin', '/usr/sbin', '/usr/bin', '/sbin', '/bin'];

/** The folder that holds the fetched parts; VIPKEEPER_LAB_CACHE puts it elsewhere. */
export function labCache(): string {
  return resolve(REPOSITORY, process.env['VIPKEEPER_LAB_CACHE'] ?? '.cache/lab');
}

/**
 * Makes sure that every named part can be run. What the machine lacks is downloaded from Debian and unpacked into the
 * cache; nothing is installed, and no packaged service can start. Two processes may ask at once.
 */
export async function requireParts(
  names: readonly PartName[],
  report: (line: string) => void = (line) => {
    process.stderr.write(`${line}\n`);
  },
): Promise<Parts> {
  const cache = labCache();
  const lacking = names.filter((name) => !hasPart(cache, name));
  if (lacking.length > 0) {
    mkdirSync(cache, { recursive: true });
    await withFileLock(join(cache, 'lock'), async () => {
      const stillLacking = lacking.filter((name) => !hasPart(cache, name));
      if (stillLacking.length > 0) await fetchParts(cache, stillLacking, report);
    });
  }
  return partsIn(join(cache, 'root'));
}

function ignoresHost(): boolean {
  return process.env['VIPKEEPER_LAB_IGNORE_HOST'] === '1';
}

function hasPart(cache: string, name: PartName): boolean {
  const marker = join(cache, 'parts', name);
  if (existsSync(marker) && readFileSync(marker, 'utf8') === JSON.stringify(PARTS[name])) return true;
  return !ignoresHost() && PARTS[name].probes.every((probe) => find(probe, hostBinaryFolders()) !== undefined);
}

function find(probe: string, folders: readonly string[], root = ''): string | undefined {
  const candidates = isAbsolute(probe) ? [`${root}${probe}`] : folders.map((folder) => join(folder, probe));
  return candidates.find((each) => existsSync(each));
}

function hostBinaryFolders(): string[] {
  return [...(process.env['PATH'] ?? '').split(':').filter((each) => each !== ''), ...SYSTEM_BINARIES];
}

async function fetchParts(cache: string, names: readonly PartName[], report: (line: string) => void): Promise<void> {
  if (process.env[INSIDE_LAB] !== undefined) {
    throw new Error(
      `the lab has no network to fetch ${names.join(', ')}: give --parts ${names.join(',')} to its command`,
    );
  }
  for (const each of ['apt', 'done', 'parts', `root/${WRAPPERS}`]) mkdirSync(join(cache, each), { recursive: true });
  const apt = new Apt(join(cache, 'apt'), ignoresHost(), report);
  const specs: PartSpec[] = names.map((name) => PARTS[name]);
  const missing = await apt.missing(specs.flatMap((spec) => spec.packages));
  const alone = await apt.named(specs.flatMap((spec) => spec.alone ?? []));
  const byFile = new Map([...missing, ...alone].map((each) => [each.file, each]));
  const wanted = [...byFile.values()].filter((each) => !existsSync(join(cache, 'done', each.file)));
  if (wanted.length > 0) {
    const megabytes = Math.ceil(wanted.reduce((sum, each) => sum + each.bytes, 0) / 1e6);
    report(`lab: fetching ${names.join(', ')} from Debian (${wanted.length} packages, ${megabytes} MB) into ${cache}`);
    const stage = mkdtempSync(join(cache, 'stage-'));
    try {
      await apt.download(wanted, stage);
      await unpack(stage, join(cache, 'root'));
    } finally {
      rmSync(stage, { recursive: true, force: true });
    }
    for (const each of wanted) writeFileSync(join(cache, 'done', each.file), '');
  }
  const root = join(cache, 'root');
  for (const spec of specs) {
    for (const [name, words] of Object.entries(spec.wrappers ?? {})) writeWrapper(root, name, words);
    for (const [file, text] of Object.entries(spec.files ?? {})) {
      mkdirSync(dirname(`${root}${file}`), { recursive: true });
      writeFileSync(`${root}${file}`, text);
    }
  }
  const parts = partsIn(root);
  for (const name of names) {
    for (const probe of PARTS[name].probes) {
      const there = isAbsolute(probe) ? existsSync(parts.path(probe)) : parts.binary(probe) !== '';
      if (!there) throw new Error(`the Debian packages ${PARTS[name].packages.join(', ')} do not hold ${probe}`);
    }
    writeFileSync(join(cache, 'parts', name), JSON.stringify(PARTS[name]));
  }
}

/** Unpacks every .deb of `stage` and moves the outcome into `root`. A file in use is replaced, not written over. */
async function unpack(stage: string, root: string): Promise<void> {
  const tree = join(stage, 'tree');
  mkdirSync(tree);
  for (const file of readdirSync(stage).filter((each) => each.endsWith('.deb'))) {
    await mustRun('dpkg-deb', ['-x', file, tree], stage);
  }
  await mergeUsr(tree, stage);
  makeLinksRelative(tree, root);
  await mustRun('cp', ['-a', '--remove-destination', `${tree}/.`, root], stage);
}

function writeWrapper(root: string, name: string, words: string): void {
  const lines = [
    '#!/bin/sh',
    `root='${root}'`,
    'python="$root/usr/bin/python3"',
    '[ -x "$python" ] || python=/usr/bin/python3',
    `exec ${words} "$@"`,
  ];
  writeFileSync(join(root, WRAPPERS, name), `${lines.join('\n')}\n`, { mode: 0o755 });
}

/** Packages still name /bin, /sbin and /lib; on Debian these are links into /usr, and so they are in the cache. */
async function mergeUsr(tree: string, stage: string): Promise<void> {
  for (const folder of ['bin', 'sbin', 'lib', 'lib64']) {
    const old = join(tree, folder);
    mkdirSync(join(tree, 'usr', folder), { recursive: true });
    if (existsSync(old)) await mustRun('cp', ['-a', `${old}/.`, join(tree, 'usr', folder)], stage);
    rmSync(old, { recursive: true, force: true });
    symlinkSync(join('usr', folder), old);
  }
}

async function mustRun(file: string, args: readonly string[], cwd: string): Promise<void> {
  const run = await runTool(file, args, cwd);
  if (run.code !== 0) throw new Error(`${file} ${args.join(' ')} failed: ${run.stderr.trim()}`);
}

/** A link to /etc/java-17-openjdk and the like must lead into the cache when the cache holds its target. */
function makeLinksRelative(tree: string, root: string): void {
  for (const entry of readdirSync(tree, { recursive: true, withFileTypes: true })) {
    if (!entry.isSymbolicLink()) continue;
    const link = join(entry.parentPath, entry.name);
    const target = readlinkSync(link);
    if (!isAbsolute(target) || !(isThere(join(tree, target)) || isThere(join(root, target)))) continue;
    rmSync(link);
    symlinkSync(relative(dirname(link), join(tree, target)), link);
  }
}

function isThere(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
}

function partsIn(root: string): Parts {
  const existing = (paths: readonly string[]): string[] => paths.filter((each) => existsSync(each));
  const javas = namesIn(join(root, 'usr/lib/jvm')).map((name) => join(root, 'usr/lib/jvm', name, 'bin'));
  const binaries = existing([
    ...[WRAPPERS, 'usr/sbin', 'usr/bin', 'usr/lib/frr'].map((each) => join(root, each)),
    ...javas,
  ]);
  const triples = namesIn(join(root, 'usr/lib'))
    .filter((name) => name.includes('-linux-gnu'))
    .map((name) => join(root, 'usr/lib', name));
  const libraries = existing([...triples, ...triples.map((each) => join(each, 'frr')), join(root, 'usr/lib')]);
  const python = existing([join(root, 'usr/lib/python3/dist-packages')]);
  const searched = [...binaries, ...hostBinaryFolders()];
  const env: NodeJS.ProcessEnv = { ...process.env, PATH: joined(searched) };
  if (libraries.length > 0) env['LD_LIBRARY_PATH'] = joined([...libraries, ...listed('LD_LIBRARY_PATH')]);
  if (python.length > 0) env['PYTHONPATH'] = joined([...python, ...listed('PYTHONPATH')]);
  const xtables = existing(triples.map((each) => join(each, 'xtables')));
  if (xtables.length > 0) env['XTABLES_LIBDIR'] = joined(xtables);
  return {
    env,
    path: (absolute) => find(absolute, [], root) ?? absolute,
    binary: (name) => {
      const found = find(name, searched);
      if (found === undefined) throw new Error(`no program ${name}: ask requireParts for the part that holds it`);
      return found;
    },
  };
}

function namesIn(folder: string): string[] {
  return existsSync(folder) ? readdirSync(folder) : [];
}

function listed(variable: string): string[] {
  return (process.env[variable] ?? '').split(':').filter((each) => each !== '');
}

function joined(folders: readonly string[]): string {
  return [...new Set(folders)].join(':');
}
