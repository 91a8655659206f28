import { isIP } from 'node:net';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { familyOf } from '../../model/address.ts';
import { destinationKeyOf, serviceKeyOf } from '../dataplane.ts';
import type {
  DestinationKey,
  Forwarding,
  KernelDestination,
  KernelService,
  Protocol,
  ServiceKey,
  ServiceMatch,
  TunnelChecksum,
  TunnelType,
} from '../dataplane.ts';
import { HOST_PREFIX } from '../attributes.ts';
import { endpointOf, markOf, number, ParseError, problemIn, required } from './words.ts';

/*
 * The output of `ipvsadm --save --numeric`, one entry a line:
 *
 *   -A -t 192.0.2.1:80 -s wlc -p 360 -M 255.255.255.0 --pe sip -o -b flag-1,flag-2
 *   -a -t 192.0.2.1:80 -r 10.0.0.1:8080 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum
 *
 * It leaves out connection thresholds, which the listing has.
 */

export interface SavedService {
  readonly service: KernelService;
  readonly destinations: ReadonlyMap<DestinationKey, KernelDestination>;
}

/** @returns the table, or the line that does not parse and why */
export function parseSaved(text: string): Result<ReadonlyMap<ServiceKey, SavedService>, string> {
  const table: Table = new Map();
  for (const line of text.split('\n')) {
    if (line.trim() === '') continue;
    const problem = problemIn(line, () => {
      addLine(table, line.trim().split(/\s+/));
    });
    if (problem !== null) return err(problem);
  }
  return ok(table);
}

type Table = Map<
  ServiceKey,
  { readonly service: KernelService; readonly destinations: Map<DestinationKey, KernelDestination> }
>;

function addLine(table: Table, words: readonly string[]): void {
  const options = readOptions(words);
  const match = matchOf(options);
  const key = serviceKeyOf(match);
  if (options.command === '-A') {
    table.set(key, { service: serviceOf(match, options), destinations: new Map() });
    return;
  }
  const saved = table.get(key);
  if (saved === undefined) throw new ParseError('a real without its service');
  const destination = destinationOf(options);
  saved.destinations.set(destinationKeyOf(destination), destination);
}

const WITH_VALUE = new Set([
  '-t',
  '-u',
  '--sctp-service',
  '-f',
  '-s',
  '-p',
  '-M',
  '--pe',
  '-b',
  '-r',
  '-w',
  '--tun-type',
  '--tun-port',
]);
const WITHOUT_VALUE = new Set(['-6', '-o', '-m', '-g', '-i', '--tun-nocsum', '--tun-csum', '--tun-remcsum']);

interface Options {
  readonly command: string;
  readonly values: ReadonlyMap<string, string>;
}

function readOptions([command = '', ...words]: readonly string[]): Options {
  if (command !== '-A' && command !== '-a') throw new ParseError(`unknown command ${command}`);
  const values = new Map<string, string>();
  for (let at = 0; at < words.length; at++) {
    const option = words[at] ?? '';
    if (WITHOUT_VALUE.has(option)) values.set(option, '');
    // Of a flag that sh and mh have no name for, ipvsadm prints the option alone, at the end.
    else if (option === '-b' && at === words.length - 1) values.set(option, '');
    else if (WITH_VALUE.has(option)) values.set(option, required(words[++at], `value of ${option}`));
    else throw new ParseError(`unknown option ${option}`);
  }
  return { command, values };
}

const PROTOCOL_OPTIONS: readonly (readonly [string, Protocol])[] = [
  ['-t', 'tcp'],
  ['-u', 'udp'],
  ['--sctp-service', 'sctp'],
];

function matchOf({ values }: Options): ServiceMatch {
  const fwmark = values.get('-f');
  if (fwmark !== undefined) {
    return { kind: 'fwmark', family: values.has('-6') ? 'ipv6' : 'ipv4', fwmark: markOf(fwmark) };
  }
  for (const [option, protocol] of PROTOCOL_OPTIONS) {
    const endpoint = values.get(option);
    if (endpoint === undefined) continue;
    const { address, port } = endpointOf(endpoint);
    return { kind: 'address', family: familyOf(address), protocol, address, port };
  }
  throw new ParseError('no service');
}

function serviceOf(match: ServiceMatch, { values }: Options): KernelService {
  const timeout = values.get('-p');
  const persistence =
    timeout === undefined
      ? null
      : { timeoutSeconds: number(timeout), prefixLength: prefixOf(values.get('-M'), HOST_PREFIX[match.family]) };
  return {
    match,
    scheduler: required(values.get('-s'), 'scheduler'),
    schedulerFlags: flagsOf(values.get('-b')),
    onePacket: values.has('-o'),
    persistence,
    persistenceEngine: values.get('--pe') ?? null,
  };
}

/** Flags have names of their own under sh and mh (ipvsadm(8), --sched-flags). */
const FLAG_BITS: Readonly<Record<string, number | undefined>> = {
  'flag-1': 1,
  'flag-2': 2,
  'flag-3': 4,
  'sh-fallback': 1,
  'sh-port': 2,
  'mh-fallback': 1,
  'mh-port': 2,
};

function flagsOf(list: string | undefined): number {
  if (list === undefined || list === '') return 0;
  return list.split(',').reduce((bits, name) => bits | required(FLAG_BITS[name], `scheduler flag ${name}`), 0);
}

function prefixOf(mask: string | undefined, hostPrefix: number): number {
  if (mask === undefined) return hostPrefix;
  if (isIP(mask) !== 4) return number(mask);
  const bits = mask.split('.').reduce((sum, byte) => sum * 256 + Number(byte), 0);
  return Math.clz32(~bits);
}

function destinationOf({ values }: Options): KernelDestination {
  return {
    ...endpointOf(required(values.get('-r'), 'real')),
    weight: number(required(values.get('-w'), 'weight')),
    forwarding: forwardingOf(values),
    upperThreshold: 0,
    lowerThreshold: 0,
  };
}

const TUNNEL_TYPES: Readonly<Record<string, TunnelType | undefined>> = { ipip: 'ipip', gue: 'gue', gre: 'gre' };

function forwardingOf(values: Options['values']): Forwarding {
  if (values.has('-m')) return { method: 'nat' };
  if (values.has('-g')) return { method: 'direct' };
  // ipvsadm prints no option at all for IP_VS_CONN_F_LOCALNODE.
  if (!values.has('-i')) return { method: 'local' };
  return {
    method: 'tunnel',
    type: required(TUNNEL_TYPES[values.get('--tun-type') ?? 'ipip'], 'tunnel type'),
    port: number(values.get('--tun-port') ?? '0'),
    checksum: checksumOf(values),
  };
}

function checksumOf(values: Options['values']): TunnelChecksum {
  if (values.has('--tun-remcsum')) return 'remote';
  return values.has('--tun-csum') ? 'full' : 'none';
}
