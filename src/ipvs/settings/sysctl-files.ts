import { readFileSync, writeFileSync } from 'node:fs';
import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { IPVS_SYSCTL_NAMES } from '../../model/ipvs-sysctls.ts';
import type { KernelSetting } from './settings.ts';

/** Settings of the kernel by their dotted name, `net.ipv4.ip_forward`. */
export interface Sysctls {
  /** The value with single blanks between its words; null = this kernel, or this namespace, has no such setting. */
  read(name: string): string | null;
  write(name: string, value: string): Result<null, CodedError>;
}

/** Under /proc/sys. An interface may have dots in its name, so callers give such parts by themselves (see `#pathOf`). */
export class SysctlFiles implements Sysctls {
  readonly #root: string;

  constructor(root = '/proc/sys') {
    this.#root = root;
  }

  read(name: string): string | null {
    try {
      return readFileSync(this.#pathOf(name), 'utf8').trim().replaceAll(/\s+/g, ' ');
    } catch {
      return null;
    }
  }

  write(name: string, value: string): Result<null, CodedError> {
    try {
      writeFileSync(this.#pathOf(name), `${value}\n`);
      return ok(null);
    } catch (cause) {
      const { code = '' } = cause as NodeJS.ErrnoException;
      return err(
        new CodedError('SYSCTL_REFUSED', `could not set ${name} to ${value}: ${code}, ${adviceFor(code)}`, { cause }),
      );
    }
  }

  /** As sysctl(8) does: dots part the name, and a slash stands for a dot inside a part (`net.ipv4.conf.eth0/100.…`). */
  #pathOf(name: string): string {
    const parts = name.split('.').map((part) => part.replaceAll('/', '.'));
    return `${this.#root}/${parts.join('/')}`;
  }
}

/** The sysctls of IPVS that this kernel has. */
export function readIpvsSysctls(sysctls: Sysctls): KernelSetting[] {
  return IPVS_SYSCTL_NAMES.flatMap((name): KernelSetting[] => {
    const value = sysctls.read(`net.ipv4.vs.${name}`);
    return value === null ? [] : [{ kind: 'sysctl', name, value }];
  });
}

function adviceFor(code: string): string {
  switch (code) {
    case 'ENOENT':
      return 'this kernel has no such setting: it is older or newer, or the module ip_vs is not loaded';
    case 'EACCES':
    case 'EPERM':
      return 'the agent may not write it: it needs root in the network namespace, and /proc/sys writable';
    case 'EROFS':
      return '/proc/sys is mounted read-only, as in most containers';
    case 'EINVAL':
      return 'the kernel does not take this value';
    default:
      return 'the kernel refused';
  }
}
