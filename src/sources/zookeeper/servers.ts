import type { Destination, ServerAddress } from '../server-names.ts';

const DEFAULT_PORT = 2181;

/**
 * Parses 'zk1', 'zk1:2181', '10.0.0.1:2181', '::1' or '[2001:db8::1]:2181'.
 * @returns undefined when the text is none of these
 */
export function parseServer(text: string): ServerAddress | undefined {
  const bracketed = /^\[([0-9A-Fa-f:.]+)\](?::(\d{1,5}))?$/.exec(text);
  const bareIpv6 = /^([0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*)$/.exec(text);
  const named = /^([A-Za-z0-9._-]+)(?::(\d{1,5}))?$/.exec(text);
  const match = bracketed ?? bareIpv6 ?? named;
  const host = match?.[1];
  if (host === undefined) return undefined;
  const port = Number(match?.[2] ?? DEFAULT_PORT);
  return port >= 1 && port <= 65_535 ? { host, port } : undefined;
}

/** "10.0.0.1:2181", "[2001:db8::1]:2181", "zk1:2181 (10.0.0.1)". */
export function formatServer(server: ServerAddress & Partial<Destination>): string {
  const { host, port, address = host } = server;
  if (address !== host) return `${host}:${port} (${address})`;
  return server.host.includes(':') ? `[${server.host}]:${server.port}` : `${server.host}:${server.port}`;
}
