import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { parseAddress } from '../../model/address.ts';
import type { ApplyReport } from '../dataplane.ts';
import { SettingsReport } from '../settings/report.ts';
import { stateOf, SYNC_ROLES, TIMEOUT_NAMES } from '../settings/settings.ts';
import type { IpvsSettings, KernelSetting, SettingsState, SyncDaemon, SyncRole } from '../settings/settings.ts';
import { readIpvsSysctls } from '../settings/sysctl-files.ts';
import type { Sysctls } from '../settings/sysctl-files.ts';
import { clean, errnoIn } from './command.ts';
import type { ProgramEnd, RunProgram } from '../program.ts';

/** The settings of IPVS through ipvsadm(8), and its sysctls as files. */
export class IpvsadmSettings implements IpvsSettings {
  readonly #run: RunProgram;
  readonly #sysctls: Sysctls;

  constructor(deps: { readonly run: RunProgram; readonly sysctls: Sysctls }) {
    this.#run = deps.run;
    this.#sysctls = deps.sysctls;
  }

  async read(): Promise<Result<SettingsState, CodedError>> {
    const timeouts = await this.#output(['--list', '--timeout'], timeoutsIn);
    if (!timeouts.ok) return timeouts;
    const daemons = await this.#output(['--list', '--daemon'], daemonsIn);
    if (!daemons.ok) return daemons;
    return ok(stateOf([...timeouts.value, ...daemons.value, ...readIpvsSysctls(this.#sysctls)]));
  }

  async apply(settings: readonly KernelSetting[]): Promise<ApplyReport<KernelSetting>> {
    const report = new SettingsReport();
    for (const setting of settings) {
      if (setting.kind === 'sysctl') {
        report.note(setting, this.#sysctls.write(`net.ipv4.vs.${setting.name}`, setting.value));
        continue;
      }
      const end =
        setting.kind === 'timeout'
          ? await this.#run(['--set', ...timeoutWords(setting.name, setting.seconds)])
          : await this.#setDaemon(setting.role, setting.daemon);
      if (!end.ok) return report.finish(end.error);
      const { stderr } = end.value;
      if (clean(end.value)) report.applied(setting);
      else report.refused(setting, daemonErrno(stderr), stderr, 'IPVSADM_FAILED');
    }
    return report.finish();
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  /** The kernel starts no second daemon of a role, and changes none that runs. */
  async #setDaemon(role: SyncRole, daemon: SyncDaemon | null): Promise<Result<ProgramEnd, CodedError>> {
    const stopped = await this.#run(['--stop-daemon', role]);
    if (!stopped.ok || daemon === null) return stopped;
    return this.#run(['--start-daemon', role, ...daemonWords(daemon)]);
  }

  async #output<T>(args: readonly string[], parse: (output: string) => T | null): Promise<Result<T, CodedError>> {
    const end = await this.#run(args);
    if (!end.ok) return end;
    const found = clean(end.value) ? parse(end.value.stdout) : null;
    if (found !== null) return ok(found);
    const told = end.value.stderr === '' ? end.value.stdout.trim() : end.value.stderr;
    return err(new CodedError('IPVSADM_FAILED', `ipvsadm ${args.join(' ')}: ${told}`));
  }
}

/** 0 leaves a timeout as it is. */
function timeoutWords(name: string, seconds: number): string[] {
  return TIMEOUT_NAMES.map((each) => (each === name ? String(seconds) : '0'));
}

function daemonWords({ interface: name, id, group, port, ttl, maxlen }: SyncDaemon): string[] {
  const words = ['--mcast-interface', name, '--syncid', String(id), '--mcast-group', group];
  words.push('--mcast-port', String(port), '--mcast-ttl', String(ttl));
  return maxlen === null ? words : [...words, '--sync-maxlen', String(maxlen)];
}

/** `Timeout (tcp tcpfin udp): 900 120 300` */
export function timeoutsIn(output: string): KernelSetting[] | null {
  const match = /^Timeout \(tcp tcpfin udp\): (\d+) (\d+) (\d+)$/m.exec(output);
  if (match === null) return null;
  return TIMEOUT_NAMES.map((name, at) => ({ kind: 'timeout', name, seconds: Number(match[at + 1]) }));
}

/** `master sync daemon (mcast=eth0, syncid=5, maxlen=1400, group=239.0.0.5, port=9000, ttl=2)`, a line for each. */
export function daemonsIn(output: string): KernelSetting[] | null {
  const settings = new Map<SyncRole, KernelSetting>(
    SYNC_ROLES.map((role) => [role, { kind: 'sync', role, daemon: null }]),
  );
  for (const line of output.split('\n').filter((each) => each !== '')) {
    const role = SYNC_ROLES.find((each) => line.startsWith(`${each} sync daemon (`));
    const fields = new Map(Array.from(line.matchAll(/(\w+)=([^,)]+)/g), ([, key = '', value = '']) => [key, value]));
    const group = parseAddress(fields.get('group') ?? '224.0.0.81');
    const name = fields.get('mcast');
    if (role === undefined || group === undefined || name === undefined) return null;
    const number = (key: string): number | null => (fields.has(key) ? Number(fields.get(key)) : null);
    settings.set(role, {
      kind: 'sync',
      role,
      daemon: {
        interface: name,
        id: number('syncid') ?? 0,
        group,
        port: number('port') ?? 8848,
        ttl: number('ttl') ?? 1,
        maxlen: number('maxlen'),
      },
    });
  }
  return [...settings.values()];
}

/** What libipvs says about daemons, which is not among its words for services. */
function daemonErrno(stderr: string): string {
  if (stderr.includes('No daemon is running')) return 'ESRCH';
  if (stderr.includes('No such device')) return 'ENODEV';
  if (stderr.includes('Daemon has already run')) return 'EEXIST';
  return errnoIn(stderr);
}
