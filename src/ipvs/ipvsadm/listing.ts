import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { familyOf } from '../../model/address.ts';
import { destinationKeyOf, serviceKeyOf } from '../dataplane.ts';
import type { DestinationKey, Protocol, ServiceKey, ServiceMatch } from '../dataplane.ts';
import { endpointOf, markOf, ParseError, problemIn } from './words.ts';

/*
 * The tables of `ipvsadm --list --numeric --exact`. After three lines of title there is a line for each service and,
 * indented with an arrow, one for each of its reals, each followed by columns:
 *
 *   TCP  192.0.2.1:80                      12       34       56     7890     1234
 *     -> 10.0.0.1:8080                     12       34       56     7890     1234
 *   FWM  7 IPv6                             0        0        0        0        0
 */

export interface Listing {
  readonly services: ReadonlyMap<ServiceKey, readonly bigint[]>;
  readonly destinations: ReadonlyMap<ServiceKey, ReadonlyMap<DestinationKey, readonly bigint[]>>;
}

const TITLE_LINES = 3;
const SERVICE_LINE = /^(TCP|UDP|SCTP|FWM) +(\S+)( IPv6)?(?: +(.*))?$/;
const REAL_LINE = /^ {2}-> (\S+)(?: +(.*))?$/;
const PROTOCOLS: Readonly<Record<string, Protocol | undefined>> = { TCP: 'tcp', UDP: 'udp', SCTP: 'sctp' };

/**
 * @param columns how many columns each real has; services may have words there instead, which are left out
 * @returns the table, or the line that does not parse and why
 */
export function parseListing(text: string, columns: number): Result<Listing, string> {
  const services = new Map<ServiceKey, readonly bigint[]>();
  const destinations = new Map<ServiceKey, Map<DestinationKey, readonly bigint[]>>();
  let current: Map<DestinationKey, readonly bigint[]> | undefined;

  const addLine = (line: string): void => {
    const [, kind, name = '', ipv6, serviceColumns] = SERVICE_LINE.exec(line) ?? [];
    if (kind !== undefined) {
      const key = serviceKeyOf(matchNamed(kind, name, ipv6 !== undefined));
      current = new Map();
      destinations.set(key, current);
      const values = numbersIn(serviceColumns);
      if (values?.length === columns) services.set(key, values);
      return;
    }
    const [, endpoint, realColumns] = REAL_LINE.exec(line) ?? [];
    if (endpoint === undefined || current === undefined) throw new ParseError('neither a service nor a real');
    const values = numbersIn(realColumns);
    if (values?.length !== columns) throw new ParseError(`not ${columns} columns`);
    current.set(destinationKeyOf(endpointOf(endpoint)), values);
  };

  for (const line of text.split('\n').slice(TITLE_LINES)) {
    if (line.trim() === '') continue;
    const problem = problemIn(line, () => {
      addLine(line);
    });
    if (problem !== null) return err(problem);
  }
  return ok({ services, destinations });
}

function matchNamed(kind: string, name: string, ipv6: boolean): ServiceMatch {
  const protocol = PROTOCOLS[kind];
  if (protocol === undefined) return { kind: 'fwmark', family: ipv6 ? 'ipv6' : 'ipv4', fwmark: markOf(name) };
  const { address, port } = endpointOf(name);
  return { kind: 'address', family: familyOf(address), protocol, address, port };
}

function numbersIn(text = ''): bigint[] | undefined {
  const words = text.trim().split(/\s+/);
  return words.every((word) => /^\d{1,20}$/.test(word)) ? words.map(BigInt) : undefined;
}
