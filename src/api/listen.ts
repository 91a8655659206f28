import { isIP } from 'node:net';

export interface ListenAddress {
  readonly host: string;
  readonly port: number;
}

export const DEFAULT_API_PORT = 8370;

/** Takes apart what the bootstrap schema has accepted: "127.0.0.1:8370", "[::1]:8370", "localhost". */
export function parseListen(text: string): ListenAddress {
  const [, bracketed, plain, port] = /^(?:\[([^\]]*)\]|([^:]*))(?::([0-9]+))?$/.exec(text) ?? [];
  return { host: bracketed ?? plain ?? text, port: port === undefined ? DEFAULT_API_PORT : Number(port) };
}

/** Whether nobody but this machine can connect. */
export function isLoopbackOnly({ host }: ListenAddress): boolean {
  return host === 'localhost' || isLoopback(host);
}

/** @param address in the form that a socket tells it, also IPv4 on an IPv6 socket */
export function isLoopback(address: string): boolean {
  const plain = address.replace(/^::ffff:/, '');
  return plain === '::1' || (isIP(plain) === 4 && plain.startsWith('127.'));
}

/** The URL at which a client on the same host reaches such an address: wildcards become loopback. */
export function urlOf({ host, port }: ListenAddress, scheme: 'http' | 'https' = 'http'): string {
  const reachable = host === '0.0.0.0' ? '127.0.0.1' : host === '::' ? '::1' : host;
  return `${scheme}://${reachable.includes(':') ? `[${reachable}]` : reachable}:${port}`;
}
