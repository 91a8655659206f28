import type { LoadAuth, StoreTls } from '../credentials.ts';
import type { ServerAddress } from '../server-names.ts';

/** Validated and resolved. */
export interface EtcdSettings {
  /** 'host:port', 'http://host:port' or 'https://host:port'; an IPv6 literal in brackets; the port may be absent. */
  readonly endpoints: readonly string[];
  /** '/vipkeeper': no slash at the end. */
  readonly root: string;
  /** How long our records outlive us. The cluster may make it longer, never shorter. */
  readonly leaseTtlMs: number;
  /**
   * The whole tree is listed again after this long, in case the watch has not told everything; later where that would
   * cost the store more than its budget. 0: by every snapshot.
   */
  readonly rereadEveryMs?: number;
  readonly auth?: LoadAuth;
  readonly tls?: StoreTls;
}

/** The port that etcd registered with IANA for its clients. */
const CLIENT_PORT = 2379;

export interface Endpoint extends ServerAddress {
  readonly secure: boolean;
}

export function parseEndpoint(text: string, tlsWanted: boolean): Endpoint {
  const rest = text.replace(/^https?:\/\//, '').replace(/\/+$/, '');
  const port = /:([0-9]+)$/.exec(rest)?.[1];
  const host = port === undefined ? rest : rest.slice(0, -port.length - 1);
  return {
    host: host.replace(/^\[|\]$/g, ''),
    port: Number(port ?? CLIENT_PORT),
    secure: tlsWanted || text.startsWith('https://'),
  };
}

/** "10.0.0.1:2379", "[2001:db8::1]:2379": as gRPC wants it. */
export function formatEndpoint(host: string, port: number): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
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
