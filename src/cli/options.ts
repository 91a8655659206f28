import { InvalidArgumentError, Option } from 'commander';
import type { Command } from 'commander';
import type { IpAddress } from '../model/address.ts';
import { parseAddress } from '../model/address.ts';
import { durationMs } from '../model/duration.ts';
import { BOOTSTRAP_ENV, DEFAULT_BOOTSTRAP } from './bootstrap-access.ts';
import type { CliContext } from './io.ts';

/* Options and arguments that several commands take. */

export function bootstrapOption({ io }: CliContext): Option {
  const fromEnvironment = io.env[BOOTSTRAP_ENV];
  const path = fromEnvironment === undefined || fromEnvironment === '' ? DEFAULT_BOOTSTRAP : fromEnvironment;
  return new Option('--bootstrap <FILE>', 'the bootstrap file').default(path);
}

/** `--api` with what belongs to it. @param purpose what the address is for */
export function addApiOptions(command: Command, purpose: string): Command {
  return command
    .option('--api <URL>', purpose, parseApiUrl)
    .option('--api-ca <FILE>', "PEM file with the authorities to trust there (https); else the system's")
    .option('--api-certificate <FILE>', 'PEM file with the certificate to show there, for an agent with "clientCa"')
    .option('--api-key <FILE>', 'PEM file with its key');
}

export function parseRevision(text: string): bigint {
  if (/^[0-9]{1,20}$/.test(text)) return BigInt(text);
  throw new InvalidArgumentError('A revision is a whole number, as get --json shows it.');
}

function parseApiUrl(text: string): URL {
  if (URL.canParse(text)) {
    const url = new URL(text);
    if (url.protocol === 'http:' || url.protocol === 'https:') return url;
  }
  throw new InvalidArgumentError('An address is such as http://127.0.0.1:8370, or with https.');
}

/** The revision of a configuration: its digits, with or without "sha256:". */
export function parseConfigRevision(text: string): string {
  if (/^(sha256:)?[0-9a-f]{64}$/.test(text)) return text.startsWith('sha256:') ? text : `sha256:${text}`;
  throw new InvalidArgumentError('The revision of a configuration is "sha256:" and 64 hexadecimal digits.');
}

/** For an option that may be given many times. */
export function collected(text: string, before: readonly string[] | undefined): readonly string[] {
  return [...(before ?? []), text];
}

/** "7=203.0.113.7", many times: the addresses of each mark. */
export function markAddress(
  text: string,
  before: ReadonlyMap<number, readonly IpAddress[]> | undefined,
): ReadonlyMap<number, readonly IpAddress[]> {
  const [, mark = '', word = ''] = /^([1-9][0-9]{0,9})=(.+)$/.exec(text) ?? [];
  const address = parseAddress(word);
  if (address === undefined) throw new InvalidArgumentError('A mark and an address are such as 7=203.0.113.7.');
  return new Map(before).set(Number(mark), [...(before?.get(Number(mark)) ?? []), address]);
}

export function parseDuration(text: string): string {
  try {
    if (durationMs(text) > 0) return text;
  } catch {
    // Told below.
  }
  throw new InvalidArgumentError('A duration has a unit, such as 90s, 30m, 2h.');
}
