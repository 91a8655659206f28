import { type IpAddress, addressFromBytes } from '../../src/model/address.ts';

/*
 * What a router learns from UPDATEs, read independently of src/bgp: strict where RFC 4271 and RFC 7606 section 5.1
 * bind the sender, so that anything untidy in what we send fails a test here rather than a session out there.
 */

export interface LearnedRoute {
  readonly nextHop: string;
  /** Every other attribute, by type, as hex. */
  readonly attributes: Readonly<Record<number, string>>;
}

export interface ReadUpdate {
  readonly withdrawn: readonly IpAddress[];
  readonly announced: readonly IpAddress[];
  readonly route: LearnedRoute | null;
  readonly endOfRib: 'ipv4' | 'ipv6' | null;
}

export class BgpReader {
  readonly routes = new Map<IpAddress, LearnedRoute>();
  readonly endOfRibs: string[] = [];
  /** BoRR and EoRR marks among the updates, in order. */
  readonly marks: string[] = [];
  updates = 0;

  /** Takes whole messages, any number of them, in one chunk. */
  read(bytes: Uint8Array): void {
    const data = Buffer.from(bytes);
    for (let at = 0; at < data.length;) {
      const length = data.readUInt16BE(at + 16);
      must(
        data.subarray(at, at + 16).every((octet) => octet === 0xff),
        'marker',
      );
      must(length >= 19 && length <= 4096 && at + length <= data.length, `length ${length}`);
      const body = data.subarray(at + 19, at + length);
      const type = data.readUInt8(at + 18);
      if (type === 2) this.#apply(readUpdate(body));
      if (type === 5) this.marks.push(`${body.readUInt16BE(0)}/${body.readUInt8(2)}`);
      at += length;
    }
  }

  #apply(update: ReadUpdate): void {
    this.updates++;
    if (update.endOfRib !== null) this.endOfRibs.push(update.endOfRib);
    for (const address of update.withdrawn) {
      must(this.routes.delete(address), `${address} withdrawn but never announced`);
    }
    if (update.route !== null) for (const address of update.announced) this.routes.set(address, update.route);
  }
}

export function readUpdate(body: Buffer): ReadUpdate {
  const withdrawnLength = body.readUInt16BE(0);
  const attributesLength = body.readUInt16BE(2 + withdrawnLength);
  const attributesStart = 4 + withdrawnLength;
  const attributesEnd = attributesStart + attributesLength;
  must(attributesEnd <= body.length, 'attributes inside the message');
  const withdrawn = prefixes(body.subarray(2, 2 + withdrawnLength), 4);
  const announced = prefixes(body.subarray(attributesEnd), 4);
  const attributes: Record<number, string> = {};
  let nextHop = '';
  let reach: IpAddress[] | null = null;
  let unreach: IpAddress[] | null = null;
  let last = 0;
  for (let at = attributesStart; at < attributesEnd;) {
    const flags = body.readUInt8(at);
    const type = body.readUInt8(at + 1);
    const extended = (flags & 0x10) !== 0;
    const length = extended ? body.readUInt16BE(at + 2) : body.readUInt8(at + 2);
    must(!extended || length > 255, 'no extended length without need');
    const value = body.subarray(at + (extended ? 4 : 3), at + (extended ? 4 : 3) + length);
    must(value.length === length, `attribute ${type} inside`);
    const isFirst = at === attributesStart;
    at += (extended ? 4 : 3) + length;
    if (type === 14 || type === 15) {
      must(isFirst, 'MP attribute first');
      must(value.readUInt16BE(0) === 2 && value.readUInt8(2) === 1, 'IPv6 unicast');
      if (type === 14) {
        const hop = value.readUInt8(3);
        nextHop = addressFromBytes(value.subarray(4, 4 + hop));
        reach = prefixes(value.subarray(5 + hop), 16);
      } else unreach = prefixes(value.subarray(3), 16);
      continue;
    }
    must(type > last, 'attributes in ascending order');
    last = type;
    if (type === 3) nextHop = addressFromBytes(value);
    else attributes[type] = value.toString('hex');
  }
  const parts = [withdrawn.length > 0, announced.length > 0, reach !== null, unreach !== null].filter(Boolean).length;
  must(parts <= 1, 'one kind of routes in a message');
  const isEmpty = parts === 0 && attributesLength === 0;
  const told = reach ?? announced;
  if (told.length > 0) must(attributes[1] === '00' && attributes[2] !== undefined && nextHop !== '', 'mandatory ones');
  return {
    withdrawn: unreach ?? withdrawn,
    announced: told,
    route: told.length > 0 ? { nextHop, attributes } : null,
    endOfRib: isEmpty ? 'ipv4' : unreach?.length === 0 ? 'ipv6' : null,
  };
}

function prefixes(field: Buffer, size: number): IpAddress[] {
  const found: IpAddress[] = [];
  for (let at = 0; at < field.length; at += 1 + size) {
    must(field.readUInt8(at) === size * 8, 'a host route');
    found.push(addressFromBytes(field.subarray(at + 1, at + 1 + size)));
  }
  must(new Set(found).size === found.length, 'a prefix once in a message');
  return found;
}

function must(condition: boolean, what: string): asserts condition {
  if (!condition) throw new Error(`not as the RFC has it: ${what}`);
}
