import { spawnSync } from 'node:child_process';
import {
  KERNEL_KINDS,
  type KernelKind,
  type KernelRun,
  LAB_FAILED,
  insideLab,
  kernelKind,
  runInKernel,
} from './kernel.ts';
import { type PartName, isPartName } from './part-table.ts';

const DEFAULT_PARTS: readonly PartName[] = [
  ...(['iproute2', 'ipvsadm', 'iptables', 'curl', 'bird', 'zookeeper', 'etcd', 'etcdctl'] as const),
];

const USAGE = `usage: npm run lab -- [OPTION…] COMMAND [ARG…]

Runs COMMAND as root in a kernel that has IPVS: in a fresh network namespace of this machine's
kernel if that has ip_vs, else in a User-Mode Linux guest on this machine's file system.

  --parts A,B     parts that COMMAND needs (default ${DEFAULT_PARTS.join(',')})
  --mem MB        memory of the guest (default 2000)
  --timeout S     kill the run after S seconds (default 600)
  --kernel KIND   native, uml, or qemu: a machine in software that also has nf_tables, and is slow
                  (default native where it has ip_vs)
`;

class UsageError extends Error {}

function parse(args: readonly string[]): KernelRun {
  let parts = DEFAULT_PARTS;
  let memoryMb = 2_000;
  let timeoutSeconds = 600;
  let kernel: KernelKind | undefined;
  let at = 0;
  const value = (): string => args[++at] ?? '';
  for (; at < args.length && args[at]?.startsWith('-') === true && args[at] !== '--'; at++) {
    switch (args[at]) {
      case '--parts':
        parts = value()
          .split(',')
          .map((name) => {
            if (!isPartName(name)) throw new UsageError(`no part is called ${name}`);
            return name;
          });
        break;
      case '--mem':
        memoryMb = positive('--mem', value());
        break;
      case '--timeout':
        timeoutSeconds = positive('--timeout', value());
        break;
      case '--kernel':
        kernel = kernelKind(value());
        if (kernel === undefined) throw new UsageError(`--kernel takes one of ${KERNEL_KINDS.join(', ')}`);
        break;
      default:
        throw new UsageError(`unknown option ${args[at] ?? ''}`);
    }
  }
  if (args[at] === '--') at++;
  const command = args.slice(at);
  if (command.length === 0) throw new UsageError('no command');
  return { command, parts, memoryMb, timeoutSeconds, ...(kernel === undefined ? {} : { kernel }) };
}

function positive(option: string, text: string): number {
  const number = Number.parseInt(text, 10);
  if (!(number > 0)) throw new UsageError(`${option} takes a number above 0`);
  return number;
}

/** A lab in a lab is the same lab. */
function runHere(command: readonly string[]): number {
  const [file = '', ...args] = command;
  return spawnSync(file, args, { stdio: 'inherit' }).status ?? LAB_FAILED;
}

try {
  const run = parse(process.argv.slice(2));
  process.exitCode = insideLab() === undefined ? await runInKernel(run) : runHere(run.command);
} catch (error) {
  console.error(
    error instanceof UsageError
      ? `lab: ${error.message}\n\n${USAGE}`
      : `lab: ${error instanceof Error ? error.message : String(error)}`,
  );
  process.exitCode = error instanceof UsageError ? 2 : LAB_FAILED;
}
