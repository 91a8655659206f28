import type { CodedError } from '../../core/errors.ts';
import type { Result } from '../../core/result.ts';
import type { Family, IpAddress } from '../../model/address.ts';
import type { Protocol } from '../dataplane.ts';

/*
 * The port to the kernel's connection tracking: flows that somebody translates (IPVS with net.ipv4.vs.conntrack,
 * nftables with dnat) have an entry in which the replies come from the real. While that is there, packets of the flow
 * may go on to the real, whatever the rules say by now.
 */

/** Flows by where they go. */
export interface FlowTarget {
  readonly protocol: Protocol;
  /** What the client called; null = whatever. Port 0 = every port. */
  readonly service: Endpoint | null;
  /** Where the replies come from; null = wherever. Port 0 = every port. */
  readonly real: Endpoint | null;
}

/** One tracked flow that is translated to a real. */
export interface TrackedFlow {
  readonly family: Family;
  readonly protocol: Protocol;
  readonly client: Endpoint;
  /** The address that the client called. */
  readonly service: Endpoint;
  readonly real: Endpoint;
  /** A TCP or SCTP connection that was opened and is not being closed. */
  readonly established: boolean;
}

export interface Endpoint {
  readonly address: IpAddress;
  readonly port: number;
}

export interface FlowCount {
  readonly protocol: Protocol;
  readonly service: Endpoint;
  readonly real: Endpoint;
  readonly flows: number;
  /** Those of `flows` that are established. */
  readonly established: number;
}

export interface Conntrack {
  /** How many flows go from each service to each real; null where the kernel does not tell. */
  count(): Promise<Result<readonly FlowCount[] | null, CodedError>>;
  /**
   * Forgets the flows to the targets, so that their next packet is a new flow.
   * @returns how many were forgotten; 0 where the kernel tracks nothing
   */
  forget(targets: readonly FlowTarget[]): Promise<Result<number, CodedError>>;
  close(): Promise<void>;
}

/** Tells flows that go to any of the targets, in constant time for each. */
export function flowMatcher(targets: readonly FlowTarget[]): (flow: TrackedFlow) => boolean {
  const keys = new Set(targets.map(({ protocol, service, real }) => keyOf(protocol, service, real)));
  return ({ protocol, service, real }) =>
    withWildcards(service).some((called) =>
      withWildcards(real).some((answering) => keys.has(keyOf(protocol, called, answering))),
    );
}

function withWildcards(endpoint: Endpoint): readonly (Endpoint | null)[] {
  return [endpoint, { address: endpoint.address, port: 0 }, null];
}

function keyOf(protocol: Protocol, service: Endpoint | null, real: Endpoint | null): string {
  return `${protocol}|${service?.address ?? ''}|${service?.port ?? ''}|${real?.address ?? ''}|${real?.port ?? ''}`;
}
