import { isIP } from 'node:net';
import Type from 'typebox';
import type { TSchema } from 'typebox';
import { isHostAddress, parseAddress } from './address.ts';
import { DURATION_PATTERN, durationMs, isDuration } from './duration.ts';
import { HOST_PORT, isHostPort } from './host-port.ts';
import { NAME_PATTERN, NAME_RULE } from './names.ts';

/*
 * The building blocks of every record schema. Two keywords of our own: `allowed` says in words what a field takes
 * (for problems and for the documentation), and a refinement (`~refine`, TypeBox's own) covers what JSON Schema
 * cannot say.
 */

export interface FieldOptions {
  readonly description: string;
  readonly default?: unknown;
  readonly allowed?: string;
}

/** An object that refuses unknown fields but always allows `_meta`. */
export function closedObject<P extends Record<string, TSchema>>(properties: P, options: { description?: string } = {}) {
  return Type.Object({ ...properties, _meta: Type.Optional(Meta) }, { additionalProperties: false, ...options });
}

/** As `closedObject`, for objects inside a record, where `_meta` has no business. */
export function nestedObject<P extends Record<string, TSchema>>(properties: P, options: Partial<FieldOptions> = {}) {
  return Type.Object(properties, { additionalProperties: false, ...options });
}

/** Any object. As a record of unknowns it would be walked through, at the price of the whole rest of a record. */
export const Meta = Type.Unsafe<Record<string, unknown>>({
  type: 'object',
  description: 'Anything that people and other tools want to note (owner, ticket, editor); carried along, never read.',
});

export function name(options: FieldOptions) {
  return Type.String({ pattern: NAME_PATTERN, allowed: NAME_RULE, ...options });
}

export function duration(options: FieldOptions) {
  return Type.String({
    pattern: DURATION_PATTERN,
    allowed: 'a duration with its unit, such as "500ms", "2s", "5m"',
    ...options,
  });
}

/** A duration with bounds, both allowed. */
export function durationWithin(least: string, most: string, options: FieldOptions) {
  const [lowest, highest] = [durationMs(least), durationMs(most)];
  return Type.Refine(
    Type.String({ pattern: DURATION_PATTERN, allowed: `a duration from "${least}" to "${most}"`, ...options }),
    (value) => isDuration(value) && durationMs(value) >= lowest && durationMs(value) <= highest,
    () => 'must be a duration within bounds',
  );
}

export function address(options: FieldOptions) {
  return Type.Refine(
    Type.String({
      allowed: 'an IPv4 or IPv6 address without zone id, in full ("192.0.2.1", "2001:db8::1")',
      ...options,
    }),
    (value) => parseAddress(value) !== undefined,
    () => 'must be an address',
  );
}

/** An address that packets can be sent to as to one host; the kernel refuses any other as a real. */
export function hostAddress(options: FieldOptions) {
  return Type.Refine(
    Type.String({
      allowed:
        'the IPv4 or IPv6 address of one host, in full and without zone id ("192.0.2.1", "2001:db8::1"); ' +
        'not 0.0.0.0/8, multicast, reserved or link-local',
      ...options,
    }),
    (value) => {
      const parsed = parseAddress(value);
      return parsed !== undefined && isHostAddress(parsed);
    },
    () => 'must be the address of one host',
  );
}

export function ipv4(options: FieldOptions) {
  return Type.Refine(
    Type.String({ allowed: 'an IPv4 address in full ("192.0.2.1")', ...options }),
    (value) => isIP(value) === 4,
    () => 'must be an IPv4 address',
  );
}

export function port(options: FieldOptions) {
  return Type.Integer({ minimum: 1, maximum: 65_535, allowed: 'a port, 1 to 65535', ...options });
}

/** Host and port, an IPv6 literal in brackets: "zk1:2181", "10.0.0.1", "[2001:db8::1]:2181". */
export function hostPort(options: FieldOptions) {
  return Type.Refine(
    Type.String({ pattern: `^${HOST_PORT}$`, allowed: 'HOST, HOST:PORT or [IPV6]:PORT', ...options }),
    isHostPort,
    () => 'must be a host, with or without a port',
  );
}

/** Where a ZooKeeper ensemble is, whoever wants something of it. */
export function zookeeperServers(options: FieldOptions) {
  return Type.Array(hostPort({ description: 'One member.' }), {
    minItems: 1,
    maxItems: 15,
    allowed: 'a list of 1 to 15 members, each HOST:PORT',
    ...options,
  });
}

export function integer(minimum: number, maximum: number, options: FieldOptions) {
  return Type.Integer({ minimum, maximum, allowed: `a whole number, ${minimum} to ${maximum}`, ...options });
}

export function flag(options: FieldOptions) {
  return Type.Boolean({ allowed: 'true or false', ...options });
}

/** Free text for people: bounded, no control characters but line breaks. */
export function text(options: FieldOptions, maxLength = 500) {
  return Type.String({
    maxLength,
    pattern: '^[^\\u0000-\\u0009\\u000b-\\u001f\\u007f]*$',
    allowed: `text of at most ${maxLength} characters without control characters`,
    ...options,
  });
}

/** One of a few words. */
export function choice<const W extends string[]>(words: readonly [...W], options: FieldOptions): Type.TEnum<W> {
  return Type.Enum(words, { allowed: `one of ${words.map((word) => `"${word}"`).join(', ')}`, ...options });
}

/** Where a secret is, never the secret itself. */
export function secret(options: FieldOptions) {
  return Type.String({
    pattern: '^(file:/.+|env:[A-Za-z_][A-Za-z0-9_]*)$',
    maxLength: 500,
    allowed: 'a reference: "file:/path" (re-read when it changes) or "env:NAME"',
    ...options,
  });
}
