import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LabProcess } from '../../test/lab/process.ts';

const project = dirname(dirname(dirname(fileURLToPath(import.meta.url))));

/** Makes what users run: the figures are those of the build, not of the TypeScript loader. */
export function build(): void {
  const { status, stderr } = spawnSync('npx', ['tsx', 'packaging/build.ts'], { cwd: project, encoding: 'utf8' });
  if (status !== 0) throw new Error(`the build failed:\n${stderr}`);
}

/** Records as a directory store holds them. Not through our own client: ten thousand durable writes take a minute. */
export function writeDirectoryStore(folder: string, records: ReadonlyMap<string, string>): void {
  mkdirSync(join(folder, 'config'), { recursive: true });
  for (const [path, text] of records) {
    const file = join(folder, `${path}.json`);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }
}

/** A whole agent in a process of its own, with a directory store, in the environment that the systemd unit gives it. */
export async function startAgent(options: {
  readonly store: string;
  readonly stateDir: string;
  readonly listen: string;
}): Promise<LabProcess> {
  const bootstrap = `${options.stateDir}.json`;
  const content = {
    agent: 'lb1',
    store: { directory: { path: options.store } },
    stateDir: options.stateDir,
    api: { listen: options.listen },
  };
  writeFileSync(bootstrap, JSON.stringify(content));
  const main = join(project, 'dist/cli/main.js');
  const env = { ...process.env, ...unitEnvironment() };
  return LabProcess.start(process.execPath, [main, 'agent', '--bootstrap', bootstrap], { name: 'vipkeeper', env });
}

/** The `Environment=` lines of the systemd unit: what is measured is what users run. */
function unitEnvironment(): Readonly<Record<string, string>> {
  const unit = readFileSync(join(project, 'packaging/vipkeeper.service'), 'utf8');
  const settings = [...unit.matchAll(/^Environment=(\w+)=(.*)$/gm)];
  return Object.fromEntries(settings.map(([, name = '', value = '']) => [name, value]));
}

export interface Resident {
  /** Now, in MB of 1,000,000 bytes. */
  readonly now: number;
  /** The most that it ever was. */
  readonly peak: number;
}

/** From /proc/PID/status (proc(5)): VmRSS and VmHWM. */
export function residentOf(pid: number): Resident {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8');
  const megabytes = (field: string): number => {
    const kibibytes = new RegExp(`^${field}:\\s+([0-9]+) kB$`, 'm').exec(status)?.[1];
    if (kibibytes === undefined) throw new Error(`/proc/${pid}/status has no ${field}`);
    return (Number(kibibytes) * 1_024) / 1_000_000;
  };
  return { now: megabytes('VmRSS'), peak: megabytes('VmHWM') };
}

/** User and system time of a process so far, all threads, in seconds: fields 14 and 15 of /proc/PID/stat, 100 a second. */
export function cpuSecondsOf(pid: number): number {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}
