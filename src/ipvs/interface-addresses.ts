import type { CodedError } from '../core/errors.ts';
import type { Clock } from '../core/ports.ts';
import { ok } from '../core/result.ts';
import type { Result } from '../core/result.ts';
import type { AddressOp, InterfaceAddress, InterfaceAddresses } from './addresses.ts';
import type { ApplyReport, FailedOp } from './dataplane.ts';
import { KernelRefusal } from './kernel-refusal.ts';
import { NetlinkClient } from './netlink/client.ts';
import type { ClientCounters, ClientLimits } from './netlink/client.ts';
import { errnoMeaning, errnoName } from './netlink/errno.ts';
import type { OpenTransport } from './netlink/transport.ts';
import { addressesRequest, addressRequest, readAddress, readLinks } from './rtnetlink/messages.ts';
import type { Link } from './rtnetlink/messages.ts';

/** Addresses of the host's interfaces over rtnetlink. */
export class NetlinkInterfaceAddresses implements InterfaceAddresses {
  readonly #client: NetlinkClient;

  constructor(deps: { readonly open: OpenTransport; readonly clock: Clock; readonly limits?: Partial<ClientLimits> }) {
    this.#client = new NetlinkClient(deps);
  }

  get counters(): ClientCounters {
    return this.#client.counters;
  }

  async read(): Promise<Result<readonly InterfaceAddress[], CodedError>> {
    const links = await readLinks(this.#client);
    if (!links.ok) return links;
    const names = new Map(Array.from(links.value.values(), ({ index, name }) => [index, name]));
    const found = await this.#client.dump(addressesRequest, ({ payload }) => readAddress(payload));
    if (!found.ok) return found;
    const addresses = found.value.flatMap((each) => {
      // An interface that came up between the two dumps has no name here; the next reading sees it.
      const name = each === null ? undefined : names.get(each.index);
      if (each === null || name === undefined) return [];
      return [{ interface: name, address: each.address, prefixLength: each.prefixLength, marked: each.marked }];
    });
    return ok(addresses);
  }

  async apply(ops: readonly AddressOp[]): Promise<ApplyReport<AddressOp>> {
    const applied: AddressOp[] = [];
    const failed: FailedOp<AddressOp>[] = [];
    if (ops.length === 0) return { applied, failed, lost: null };
    const links = await readLinks(this.#client);
    if (!links.ok) return { applied, failed, lost: links.error };
    const sendable: { readonly op: AddressOp; readonly link: Link }[] = [];
    for (const op of ops) {
      const link = links.value.get(op.interface);
      if (link === undefined) failed.push({ op, error: addressRefusal(op, 'ENODEV') });
      else sendable.push({ op, link });
    }
    const { answers, lost } = await this.#client.request(
      sendable.map(({ op, link }) => addressRequest(op.kind === 'addAddress' ? 'add' : 'delete', link, op.address)),
    );
    for (const [at, { op }] of sendable.entries()) {
      const answer = answers[at];
      if (answer === undefined) break;
      if (answer.errno === 0) applied.push(op);
      else failed.push({ op, error: addressRefusal(op, errnoName(answer.errno), answer.text) });
    }
    return { applied, failed, lost };
  }

  close(): Promise<void> {
    return this.#client.close();
  }
}

/** An address operation that the kernel refused, with what can be done about it. */
export function addressRefusal(op: AddressOp, errno: string, text: string | null = null): KernelRefusal {
  const what = op.kind === 'addAddress' ? `add ${op.address} to` : `delete ${op.address} from`;
  const words = text === null ? '' : ` (${text})`;
  return new KernelRefusal(errno, `could not ${what} ${op.interface}: ${errno}, ${addressAdvice(errno)}${words}`);
}

function addressAdvice(errno: string): string {
  switch (errno) {
    case 'EPERM':
      return 'the agent needs CAP_NET_ADMIN in this network namespace';
    case 'EEXIST':
      return 'the interface has this address already';
    case 'EADDRNOTAVAIL':
      return 'the interface has no such address';
    case 'EACCES':
      return 'IPv6 is switched off on this interface (net.ipv6.conf.*.disable_ipv6)';
    default:
      return errnoMeaning(errno);
  }
}
