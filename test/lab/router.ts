import type { IpAddress } from '../../src/model/address.ts';

/** A route as a real router shows it, in one form for all routers. */
export interface LabRoute {
  readonly nextHop: string;
  readonly med: number | null;
  readonly localPref: number | null;
  readonly communities: readonly string[];
  readonly largeCommunities: readonly string[];
  readonly asPath: readonly number[];
}

export interface RouterOptions {
  /** Where the router listens; it never dials. */
  readonly address: string;
  readonly asn: number;
  /** A free one if absent. */
  readonly port?: number;
  /** The speaker under test. */
  readonly agentAddress: string;
  readonly agentAsn: number;
  readonly holdTimeS?: number;
  /** TCP-MD5 key. */
  readonly password?: string;
  /** GTSM with one hop. */
  readonly ttlSecurity?: boolean;
}

/** A real BGP router on loopback. It installs nothing into the kernel. */
export interface LabRouter {
  readonly kind: string;
  readonly address: IpAddress;
  readonly port: number;
  readonly asn: number;
  /** Everything that it learned from the agent, by prefix. */
  routes(): Promise<ReadonlyMap<string, LabRoute>>;
  /** Everything that it said about its life, for assertions on what it was told. */
  log(): string;
  /** Freezes and thaws the process: it goes silent, its TCP stays. */
  freeze(): void;
  thaw(): void;
  stop(): Promise<void>;
}

/** "65000:1:2 65000:3:4" or "(65000, 1, 2) (65000, 3, 4)" to colon form. */
export function splitCommunities(text: string | undefined): string[] {
  if (text === undefined || text.trim() === '') return [];
  const tuples = [...text.matchAll(/\(([^)]*)\)/g)].map((match) => (match[1] ?? '').replaceAll(/,\s*/g, ':'));
  return tuples.length > 0 ? tuples : text.trim().split(/\s+/);
}

export function splitPath(text: string | undefined): number[] {
  return (text ?? '')
    .split(/\s+/)
    .filter((each) => /^\d+$/.test(each))
    .map(Number);
}
