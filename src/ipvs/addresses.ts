import type { CodedError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import type { IpAddress } from '../model/address.ts';
import type { ApplyReport } from './dataplane.ts';

/** One address on one interface, as `ip address` would show it. */
export interface InterfaceAddress {
  readonly interface: string;
  readonly address: IpAddress;
  readonly prefixLength: number;
  /** It says that vipkeeper put it there (label `lo:vk`, or protocol 118). */
  readonly marked: boolean;
}

export type AddressOp =
  | { readonly kind: 'addAddress'; readonly interface: string; readonly address: IpAddress }
  | { readonly kind: 'deleteAddress'; readonly interface: string; readonly address: IpAddress };

/** The port to the host's interfaces. VIPs are host addresses: always /32 or /128, scope global. */
export interface InterfaceAddresses {
  read(): Promise<Result<readonly InterfaceAddress[], CodedError>>;
  apply(ops: readonly AddressOp[]): Promise<ApplyReport<AddressOp>>;
  close(): Promise<void>;
}
