import { execFile } from 'node:child_process';
import { existsSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';

/** One package that apt would fetch, as a line of `apt-get install --print-uris` names it. */
export interface AptPackage {
  readonly name: string;
  readonly version: string;
  readonly file: string;
  readonly bytes: number;
}

/**
 * Reads the `'URI' FILE SIZE [HASH]` lines of `apt-get install --print-uris`. The file name is
 * `NAME_VERSION_ARCH.deb` with the epoch's colon written as %3a (apt's pkgAcqArchive naming).
 */
export function parsePrintUris(output: string): AptPackage[] {
  const packages: AptPackage[] = [];
  for (const line of output.split('\n')) {
    const match = /^'[^']+' (([^_ ]+)_([^_ ]+)_[^_ ]+\.deb) (\d+)/.exec(line);
    const [, file, name, version, bytes] = match ?? [];
    if (file === undefined || name === undefined || version === undefined) continue;
    packages.push({ name, version: version.replaceAll('%3a', ':'), file, bytes: Number(bytes) });
  }
  return packages;
}

/** Never taken from the cache: a second C library next to the machine's own loader does not start. */
const NEVER = new Set(['libc6', 'libc-bin', 'base-files', 'base-passwd', 'dpkg', 'init-system-helpers']);

interface Run {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/**
 * apt without any effect on the machine: packages are resolved and downloaded, never installed. Where the machine's
 * package lists are missing or too old, a private copy is fetched into the cache instead of refreshing them.
 */
export class Apt {
  readonly #folder: string;
  readonly #asIfBare: boolean;
  readonly #report: (line: string) => void;
  #privateLists: boolean;

  /** `asIfBare` resolves as if nothing were installed: for tests of the cache itself. */
  constructor(folder: string, asIfBare: boolean, report: (line: string) => void) {
    this.#folder = folder;
    this.#asIfBare = asIfBare;
    this.#report = report;
    this.#privateLists = existsSync(join(folder, 'lists', 'complete'));
  }

  /** The packages among `names` and their dependencies that the machine lacks. */
  async missing(names: readonly string[]): Promise<AptPackage[]> {
    if (names.length === 0) return [];
    const args = ['install', '--print-uris', '-y', '-qq', '--no-install-recommends', ...names];
    const run = await this.#orWithNewLists(args, this.#folder);
    return parsePrintUris(run.stdout).filter((found) => !NEVER.has(found.name));
  }

  /** The packages themselves, whether the machine has them or not. */
  async named(names: readonly string[]): Promise<AptPackage[]> {
    if (names.length === 0) return [];
    const run = await this.#orWithNewLists(['download', '--print-uris', '-qq', ...names], this.#folder);
    return parsePrintUris(run.stdout);
  }

  /** Downloads the packages' files into `folder`; apt checks their hashes against the signed lists. */
  async download(packages: readonly AptPackage[], folder: string): Promise<void> {
    if (packages.length === 0) return;
    const args = ['download', '-qq', ...packages.map((each) => `${each.name}=${each.version}`)];
    await this.#orWithNewLists(args, folder);
  }

  async #orWithNewLists(args: readonly string[], cwd: string): Promise<Run> {
    let run = await this.#apt(args, cwd);
    if (run.code !== 0) {
      this.#report('lab: refreshing a private copy of the Debian package lists');
      this.#privateLists = true;
      const update = await this.#apt(['update', '-qq', '-o', 'APT::Update::Error-Mode=any'], this.#folder);
      if (update.code !== 0) throw new Error(`apt-get update failed: ${update.stderr.trim()}\n${NEXT_STEP}`);
      mkdirSync(join(this.#folder, 'lists', 'complete'), { recursive: true });
      run = await this.#apt(args, cwd);
    }
    if (run.code !== 0) {
      throw new Error(`apt-get ${args.slice(0, 3).join(' ')} … failed: ${run.stderr.trim()}\n${NEXT_STEP}`);
    }
    return run;
  }

  #apt(args: readonly string[], cwd: string): Promise<Run> {
    for (const each of ['lists/partial', 'archives/partial']) {
      mkdirSync(join(this.#folder, each), { recursive: true });
    }
    // An empty archive folder: --print-uris leaves out what /var/cache/apt/archives happens to hold.
    const options = [`Dir::Cache::Archives=${join(this.#folder, 'archives')}`, 'APT::Sandbox::User='];
    if (this.#privateLists) options.push(`Dir::State::Lists=${join(this.#folder, 'lists')}`, 'Dir::Cache::pkgcache=');
    if (this.#asIfBare) options.push('Dir::State::status=/dev/null', 'Dir::Cache::pkgcache=');
    return runTool('apt-get', [...options.flatMap((each) => ['-o', each]), ...args], cwd);
  }
}

const NEXT_STEP =
  'Next step: on Debian, check the network and /etc/apt/sources.list*; elsewhere install the named parts yourself ' +
  'so that they are on PATH.';

/** Runs a tool to its end; only a tool that cannot be started at all is an exception. */
export function runTool(file: string, args: readonly string[], cwd: string): Promise<Run> {
  return new Promise((resolve, reject) => {
    const env = { ...process.env, LC_ALL: 'C', DEBIAN_FRONTEND: 'noninteractive' };
    execFile(file, args, { cwd, env, maxBuffer: 64 << 20 }, (error, stdout, stderr) => {
      if (error !== null && typeof error.code !== 'number') {
        reject(new Error(`cannot run ${file}: ${error.message}\n${NEXT_STEP}`, { cause: error }));
        return;
      }
      resolve({ code: error === null ? 0 : Number(error.code), stdout, stderr });
    });
  });
}
