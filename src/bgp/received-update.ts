import { ByteReader, DecodeError } from '../core/bytes.ts';
import type { Family } from '../model/address.ts';
import { AttributeFlag, AttributeType, ErrorCode, UpdateError } from './constants.ts';
import { familyOfAfi } from './family.ts';
import { type BgpError, type ErrorHandling, isStronger, resetError } from './notification.ts';
import { countPrefixes } from './prefix.ts';
import { type AttributeContext, judgeAttribute, type ReceivedAttribute } from './received-attributes.ts';

export interface UpdateContext extends AttributeContext {
  readonly families: readonly Family[];
}

/** What an UPDATE amounts to for a speaker that installs nothing. */
export interface ReceivedUpdate {
  readonly announced: number;
  readonly withdrawn: number;
  /** RFC 4724 section 2 */
  readonly endOfRib: Family | null;
  /** Everything that is wrong with it, in the order of reading. */
  readonly errors: readonly BgpError[];
}

/**
 * Reads an UPDATE as far as RFC 7606 needs to judge it. Prefixes that cannot be read would allow a reset; the
 * milder AFI/SAFI disable is always enough here, since no route of the peer is used anyway.
 */
export function decodeUpdate(body: Uint8Array, context: UpdateContext): ReceivedUpdate {
  const reading = new Reading(context);
  const r = new ByteReader(body);
  const withdrawn = fencedBy(r);
  const attributes = withdrawn === null ? null : fencedBy(r);
  if (withdrawn === null || attributes === null) {
    reading.report(malformedList('reset', 'a length in the UPDATE exceeds the message'));
    return reading.finish();
  }
  if (withdrawn.remaining === 0 && attributes.remaining === 0 && r.remaining === 0) return reading.endOfRib('ipv4');
  reading.withdrawn += reading.countIpv4(withdrawn, 'withdrawn routes');
  reading.readAttributes(attributes);
  reading.readNlri(r);
  return reading.finish();
}

/** The strongest reaction that any of the errors asks for (RFC 7606 section 3 (h)). */
export function strongest(errors: readonly BgpError[]): BgpError | null {
  let worst: BgpError | null = null;
  for (const error of errors) if (worst === null || isStronger(error.handling, worst.handling)) worst = error;
  return worst;
}

/** A two-octet length and as many octets; null when fewer are left. */
function fencedBy(r: ByteReader): ByteReader | null {
  if (r.remaining < 2) return null;
  const length = r.u16be();
  return length > r.remaining ? null : r.fenced(length);
}

function malformedList(handling: ErrorHandling, text: string): BgpError {
  return { ...resetError(ErrorCode.updateMessage, UpdateError.malformedAttributeList, text), handling };
}

class Reading {
  announced = 0;
  withdrawn = 0;
  readonly #context: UpdateContext;
  readonly #errors: BgpError[] = [];
  readonly #seen = new Set<number>();
  #endOfRib: Family | null = null;
  /** Something in the message announces routes, readable or not. */
  #reachable = false;

  constructor(context: UpdateContext) {
    this.#context = context;
  }

  report(error: BgpError): void {
    this.#errors.push(error);
  }

  endOfRib(family: Family): ReceivedUpdate {
    this.#endOfRib = family;
    return this.finish();
  }

  countIpv4(field: ByteReader, what: string): number {
    try {
      return countPrefixes(field, 'ipv4');
    } catch (error) {
      if (!(error instanceof DecodeError)) throw error;
      this.#disable(UpdateError.invalidNetworkField, `${what}: ${error.message}`);
      return 0;
    }
  }

  readAttributes(field: ByteReader): void {
    let rest = field.bytes(field.remaining);
    while (rest.length > 0) {
      const received = firstAttribute(rest);
      if ('code' in received) {
        this.report(received);
        return;
      }
      rest = rest.subarray(received.whole.length);
      if (!this.#seen.has(received.type)) this.#one(received);
      else if (!this.#repeated(received.type)) return;
    }
  }

  readNlri(r: ByteReader): void {
    if (r.remaining > 0) {
      this.#reachable = true;
      this.announced += this.countIpv4(r, 'NLRI');
      this.#expect(AttributeType.nextHop);
    }
    if (!this.#reachable) return;
    this.#expect(AttributeType.origin);
    this.#expect(AttributeType.asPath);
  }

  finish(): ReceivedUpdate {
    const { announced, withdrawn } = this;
    return { announced, withdrawn, endOfRib: this.#endOfRib, errors: this.#errors.map((each) => this.#escalate(each)) };
  }

  /** RFC 7606 section 5.2: without reachable NLRI there is nothing to withdraw, and the routes meant are not known. */
  #escalate(error: BgpError): BgpError {
    const others = [...this.#seen].some((type) => type !== AttributeType.mpUnreach);
    if (this.#reachable || !others || error.handling !== 'treat-as-withdraw') return error;
    return { ...error, handling: 'reset' };
  }

  /** RFC 7606 section 3 (g): of most attributes the first counts; the two that carry routes must be alone. */
  #repeated(type: number): boolean {
    const fatal = type === AttributeType.mpReach || type === AttributeType.mpUnreach;
    this.report(malformedList(fatal ? 'reset' : 'attribute-discard', `attribute ${type} appears twice`));
    return !fatal;
  }

  #one(received: ReceivedAttribute): void {
    this.#seen.add(received.type);
    const error = judgeAttribute(received, this.#context);
    if (error !== null) this.report(error);
    try {
      if (received.type === AttributeType.mpReach) this.#mpReach(new ByteReader(received.value));
      if (received.type === AttributeType.mpUnreach) this.#mpUnreach(new ByteReader(received.value));
    } catch (problem) {
      if (!(problem instanceof DecodeError)) throw problem;
      this.#disable(UpdateError.optionalAttribute, problem.message, received.whole);
    }
  }

  /** AFI (2), SAFI (1), next hop length (1), next hop, reserved (1), NLRI: RFC 4760 section 3. */
  #mpReach(r: ByteReader): void {
    this.#reachable = true;
    const family = this.#family(r);
    if (family === undefined) return;
    const nextHopLength = r.u8();
    // Global, or global and link-local (RFC 2545 section 3); RFC 8950 is not negotiated, so IPv4 keeps to four octets.
    const allowed = family === 'ipv4' ? [4] : [16, 32];
    if (!allowed.includes(nextHopLength)) throw new DecodeError(`next hop length ${nextHopLength}`, r.offset - 1);
    r.skip(nextHopLength + 1);
    this.announced += countPrefixes(r, family);
  }

  /** AFI (2), SAFI (1), withdrawn routes: RFC 4760 section 4. */
  #mpUnreach(r: ByteReader): void {
    const family = this.#family(r);
    if (family === undefined) return;
    if (r.remaining === 0) this.#endOfRib = family;
    this.withdrawn += countPrefixes(r, family);
  }

  /** A family that was not negotiated is ignored (RFC 4760 section 7). */
  #family(r: ByteReader): Family | undefined {
    const afi = r.u16be();
    const family = familyOfAfi(afi, r.u8());
    return family !== undefined && this.#context.families.includes(family) ? family : undefined;
  }

  #expect(type: number): void {
    if (this.#seen.has(type)) return;
    const error = resetError(
      ErrorCode.updateMessage,
      UpdateError.missingWellKnownAttribute,
      `attribute ${type} is missing`,
      Uint8Array.of(type),
    );
    this.report({ ...error, handling: 'treat-as-withdraw' });
  }

  #disable(subcode: number, text: string, data?: Uint8Array): void {
    const error = resetError(ErrorCode.updateMessage, subcode, text, data?.slice());
    this.report({ ...error, handling: 'afi-safi-disable' });
  }
}

/** The first attribute, or what keeps it and all that follow from being read (RFC 7606 section 4). */
function firstAttribute(bytes: Uint8Array): ReceivedAttribute | BgpError {
  const [flags = 0, type = 0, high = 0, low = 0] = bytes;
  const extended = (flags & AttributeFlag.extendedLength) !== 0;
  const header = extended ? 4 : 3;
  if (bytes.length < header) return malformedList('treat-as-withdraw', 'stray octets behind the path attributes');
  const length = extended ? high * 256 + low : high;
  if (length > bytes.length - header) {
    const text = `attribute ${type} exceeds the path attributes`;
    const error = resetError(ErrorCode.updateMessage, UpdateError.attributeLength, text, bytes.slice());
    return { ...error, handling: 'treat-as-withdraw' };
  }
  return { flags, type, value: bytes.subarray(header, header + length), whole: bytes.subarray(0, header + length) };
}
