import { isIP } from 'node:net';

const HOST = '(\\[[0-9A-Fa-f:.]+\\]|[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?)';

/** HOST, HOST:PORT or [IPV6]:PORT, as part of a pattern; `isHostPort` looks closer. */
export const HOST_PORT = `${HOST}(:[1-9][0-9]{0,4})?`;

const regExp = new RegExp(`^${HOST}(?::([1-9][0-9]{0,4}))?$`);

/**
 * Whether a text is HOST, HOST:PORT or [IPV6]:PORT. A host whose last part is a number is an address, so "8370" and
 * "10.0.1" are none: resolvers would take them for short forms of IPv4 ("0.0.32.178").
 */
export function isHostPort(text: string): boolean {
  const [, host, , port = '1'] = regExp.exec(text) ?? [];
  if (host === undefined || Number(port) > 65_535) return false;
  if (host.startsWith('[')) return isIP(host.slice(1, -1)) === 6;
  return /(^|\.)[0-9]+$/.test(host) ? isIP(host) === 4 : true;
}
