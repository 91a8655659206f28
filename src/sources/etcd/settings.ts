import type { LoadAuth, StoreTls } from '../credentials.ts';

/** Validated and resolved. */
export interface EtcdSettings {
  /** 'host:port', 'http://host:port' or 'https://host:port'; an IPv6 literal in brackets; the port may be absent. */
  readonly endpoints: readonly string[];
  /** '/vipkeeper': no slash at the end. */
  readonly root: string;
  /** How long our records outlive us. The cluster may make it longer, never shorter. */
  readonly leaseTtlMs: number;
  readonly auth?: LoadAuth;
  readonly tls?: StoreTls;
}

/** The port that etcd registered with IANA for its clients. */
const CLIENT_PORT = 2379;

export interface Endpoint {
  /** host:port, as gRPC wants it. */
  readonly address: string;
  readonly secure: boolean;
}

export function parseEndpoint(text: string, tlsWanted: boolean): Endpoint {
  const address = text.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  return {
    address: /:[0-9]+$/.test(address) ? address : `${address}:${CLIENT_PORT}`,
    secure: tlsWanted || text.startsWith('https://'),
  };
}

export interface EtcdUser {
  readonly name: string;
  readonly password: string;
}

/** A name holds no colon, a password may. */
export function parseUser(auth: string): EtcdUser {
  const colon = auth.indexOf(':');
  return colon < 0 ? { name: auth, password: '' } : { name: auth.slice(0, colon), password: auth.slice(colon + 1) };
}
