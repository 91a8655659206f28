import { isIP } from 'node:net';
import { parseAddress } from '../../model/address.ts';
import type { IpAddress } from '../../model/address.ts';

/** Thrown by the word parsers; `problemIn` is their border. */
export class ParseError extends Error {}

/** @returns what is wrong with a line that `parse` cannot read, or null */
export function problemIn(line: string, parse: () => void): string | null {
  try {
    parse();
    return null;
  } catch (error) {
    if (!(error instanceof ParseError)) throw error;
    return `${error.message} in "${line}"`;
  }
}

/** "10.0.0.1:80" or "[2001:db8::1]:80". */
export function endpointOf(text: string): { address: IpAddress; port: number } {
  const colon = text.lastIndexOf(':');
  const host = text.slice(0, colon).replace(/^\[(.*)\]$/, '$1');
  // What parseAddress is too strict for, such as a mapped address, can only be somebody else's entry.
  const address = parseAddress(host) ?? (isIP(host) === 0 ? undefined : (host as IpAddress));
  return { address: required(address, `address ${host}`), port: number(text.slice(colon + 1)) };
}

export function number(text: string): number {
  if (!/^\d{1,10}$/.test(text)) throw new ParseError(`"${text}" is not a number`);
  return Number(text);
}

/** ipvsadm reads firewall marks as unsigned numbers and prints them as signed ones. */
export function markOf(text: string): number {
  return text.startsWith('-') ? 2 ** 32 - number(text.slice(1)) : number(text);
}

export function required<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new ParseError(`no ${what} that is known`);
  return value;
}
