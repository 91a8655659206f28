import { createHash, timingSafeEqual } from 'node:crypto';
import { isIP } from 'node:net';
import { isLoopback } from './listen.ts';

/*
 * Who may write through the API. It may speak plain HTTP, and whoever may scrape it over HTTPS is no operator yet, so it
 * takes writes from this machine only; and since any program on it, a browser with a hostile page included, can reach
 * loopback, every write shows the operators' own credentials.
 */

/** What of a request decides; plain data. */
export interface WriteRequestFacts {
  readonly remoteAddress: string;
  /** Headers as they came; undefined = not there. */
  readonly host: string | undefined;
  readonly origin: string | undefined;
  readonly fetchSite: string | undefined;
  readonly authorization: string | undefined;
}

export type AccessVerdict =
  | { readonly kind: 'granted'; readonly user: string }
  | { readonly kind: 'forbidden'; readonly message: string }
  | { readonly kind: 'unauthorized'; readonly message: string };

/**
 * @param credentials "user:password" that must be shown
 * @param hostNames names of this machine; addresses are always good, since nobody can make DNS point them elsewhere
 */
export function judgeWriter(
  request: WriteRequestFacts,
  credentials: string,
  hostNames: readonly string[],
): AccessVerdict {
  if (!isLoopback(request.remoteAddress)) {
    return forbidden('writes are taken from this machine only');
  }
  if (!isOwnHost(request.host, hostNames)) {
    return forbidden('the Host header names another machine: use the address, localhost, or the host name');
  }
  // No page has business here. Browsers send one of the two with every write, and a page cannot leave them out.
  if (request.origin !== undefined || (request.fetchSite ?? 'none') !== 'none') {
    return forbidden('writes are not taken from web pages');
  }
  const shown = basicCredentials(request.authorization);
  if (shown === null) return unauthorized('a write shows the credentials of store.operatorAuth (HTTP Basic)');
  if (!isSame(shown, credentials)) return unauthorized('these are not the credentials of store.operatorAuth');
  return { kind: 'granted', user: shown.slice(0, shown.indexOf(':')) };
}

function forbidden(message: string): AccessVerdict {
  return { kind: 'forbidden', message };
}

function unauthorized(message: string): AccessVerdict {
  return { kind: 'unauthorized', message };
}

function isOwnHost(host: string | undefined, names: readonly string[]): boolean {
  const [, bracketed, plain] = /^(?:\[([^\]]*)\]|([^:]*))(?::[0-9]+)?$/.exec(host ?? '') ?? [];
  if (bracketed !== undefined) return isIP(bracketed) === 6;
  const name = (plain ?? '').toLowerCase();
  return isIP(name) === 4 || name === 'localhost' || names.some((own) => own.toLowerCase() === name);
}

/** RFC 7617; null = none that can be understood. */
function basicCredentials(header: string | undefined): string | null {
  const [, encoded] = /^basic +([A-Za-z0-9+/=]+)$/i.exec(header ?? '') ?? [];
  if (encoded === undefined) return null;
  const text = Buffer.from(encoded, 'base64').toString('utf8');
  return text.includes(':') ? text : null;
}

/** In a time that says nothing of where they differ, nor of the length. */
function isSame(shown: string, wanted: string): boolean {
  const digest = (text: string): Buffer => createHash('sha256').update(text).digest();
  return timingSafeEqual(digest(shown), digest(wanted));
}
