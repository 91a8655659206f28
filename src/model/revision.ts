import { createHash } from 'node:crypto';

interface Hashed {
  readonly path: string;
  readonly bytes: Uint8Array;
}

/**
 * The revision of a configuration: sha256 over its records in order of their paths, as length-prefixed path and
 * bytes. Drains and approvals do not count: they are wishes about a configuration, not part of it. Neither do folders
 * (empty values): the folder that an approval lies in must not change the revision that it approves.
 * @returns "sha256:" and 64 hexadecimal digits
 */
export function revisionOf(records: Iterable<Hashed>): string {
  const counted: Hashed[] = [];
  for (const record of records) if (counts(record)) counted.push(record);
  // No path comes twice.
  counted.sort((a, b) => (a.path < b.path ? -1 : 1));
  const hash = createHash('sha256');
  const gathered = new Gathered((bytes) => hash.update(bytes));
  for (const { path, bytes } of counted) gathered.add(path, bytes);
  gathered.flush();
  return `sha256:${hash.digest('hex')}`;
}

function counts({ path, bytes }: Hashed): boolean {
  return bytes.length > 0 && !path.startsWith('config/drains/') && !path.startsWith('config/approvals/');
}

const GATHERED_BYTES = 64 * 1024;
const LENGTHS_BYTES = 8;

/** Puts small pieces together: to hash ten thousand records one by one costs more than to hash them. */
class Gathered {
  readonly #take: (bytes: Uint8Array) => void;
  readonly #buffer = Buffer.allocUnsafe(GATHERED_BYTES);
  #length = 0;

  constructor(take: (bytes: Uint8Array) => void) {
    this.#take = take;
  }

  /** The lengths of both, 32 bits each, the path, and the bytes. */
  add(path: string, bytes: Uint8Array): void {
    const pathLength = Buffer.byteLength(path);
    this.#makeRoom(LENGTHS_BYTES);
    this.#buffer.writeUInt32BE(pathLength, this.#length);
    this.#buffer.writeUInt32BE(bytes.length, this.#length + 4);
    this.#length += LENGTHS_BYTES;
    if (this.#makeRoom(pathLength)) this.#length += this.#buffer.write(path, this.#length);
    else this.#take(Buffer.from(path));
    if (this.#makeRoom(bytes.length)) {
      this.#buffer.set(bytes, this.#length);
      this.#length += bytes.length;
    } else this.#take(bytes);
  }

  /** @returns false when there is nothing before it any more, but it does not fit all the same */
  #makeRoom(length: number): boolean {
    if (this.#length + length > GATHERED_BYTES) this.flush();
    return length <= GATHERED_BYTES;
  }

  flush(): void {
    this.#take(this.#buffer.subarray(0, this.#length));
    this.#length = 0;
  }
}
