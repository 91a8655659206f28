import type { CodedError } from '../core/errors.ts';
import { ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import { familyOf } from '../model/address.ts';
import type { AddressOp, InterfaceAddress, InterfaceAddresses } from './addresses.ts';
import { HOST_PREFIX } from './attributes.ts';
import type { ApplyReport, FailedOp } from './dataplane.ts';
import { addressRefusal } from './interface-addresses.ts';

export interface MemoryInterfaceAddressesOptions {
  /** Interfaces that there are; any name is taken if absent, as a dry run knows nothing of the host. */
  readonly interfaces?: readonly string[];
  /** Addresses that are there before us. */
  readonly addresses?: readonly InterfaceAddress[];
  /** An errno makes the operation fail. */
  readonly disturb?: (op: AddressOp) => string | null;
}

/** Interface addresses in memory, with the kernel's rules: for dry runs and tests. */
export class MemoryInterfaceAddresses implements InterfaceAddresses {
  readonly #interfaces: ReadonlySet<string> | null;
  readonly #addresses = new Map<string, InterfaceAddress>();
  readonly #disturb: (op: AddressOp) => string | null;

  constructor(options: MemoryInterfaceAddressesOptions = {}) {
    this.#interfaces = options.interfaces === undefined ? null : new Set(options.interfaces);
    this.#disturb = options.disturb ?? (() => null);
    for (const each of options.addresses ?? []) this.#addresses.set(keyOf(each), each);
  }

  read(): Promise<Result<readonly InterfaceAddress[], CodedError>> {
    return Promise.resolve(ok([...this.#addresses.values()]));
  }

  apply(ops: readonly AddressOp[]): Promise<ApplyReport<AddressOp>> {
    const applied: AddressOp[] = [];
    const failed: FailedOp<AddressOp>[] = [];
    for (const op of ops) {
      const errno = this.#disturb(op) ?? this.#carryOut(op);
      if (errno === null) applied.push(op);
      else failed.push({ op, error: addressRefusal(op, errno) });
    }
    return Promise.resolve({ applied, failed, lost: null });
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #carryOut(op: AddressOp): string | null {
    if (this.#interfaces?.has(op.interface) === false) return 'ENODEV';
    const prefixLength = HOST_PREFIX[familyOf(op.address)];
    const entry = { interface: op.interface, address: op.address, prefixLength, marked: true };
    if (op.kind === 'deleteAddress') return this.#addresses.delete(keyOf(entry)) ? null : 'EADDRNOTAVAIL';
    if (this.#isTaken(entry)) return 'EEXIST';
    this.#addresses.set(keyOf(entry), entry);
    return null;
  }

  /** IPv6 takes an address once an interface, whatever its prefix; IPv4 once for each prefix length. */
  #isTaken(entry: InterfaceAddress): boolean {
    if (familyOf(entry.address) === 'ipv4') return this.#addresses.has(keyOf(entry));
    return [...this.#addresses.values()].some(
      (each) => each.interface === entry.interface && each.address === entry.address,
    );
  }
}

function keyOf(entry: InterfaceAddress): string {
  return `${entry.interface}|${entry.address}|${entry.prefixLength}`;
}
