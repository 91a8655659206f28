export interface EtcdCredentials {
  readonly username: string;
  readonly password: string;
}

/** PEM material of one moment. */
export interface EtcdTls {
  /** Authorities that we trust; absent = those that Node brings. */
  readonly ca?: Buffer;
  readonly certificate?: Buffer;
  readonly key?: Buffer;
  /** The name to expect in the member's certificate; absent = the endpoint's host. */
  readonly serverName?: string;
}

/** Validated and resolved: nothing here is a reference any more. */
export interface EtcdSettings {
  /** 'host:port', 'http://host:port' or 'https://host:port'; an IPv6 literal in brackets; the port may be absent. */
  readonly endpoints: readonly string[];
  /** '/vipkeeper': no slash at the end. */
  readonly root: string;
  readonly leaseTtlMs: number;
  /** Asked again at every connection, so that a rotated password or certificate is picked up. May throw. */
  readonly credentials?: () => EtcdCredentials;
  readonly tls?: () => EtcdTls;
}

/** The port that etcd registers with IANA for its clients. */
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
