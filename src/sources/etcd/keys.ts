/**
 * Where the records of a store lie among etcd's keys: the root, a slash, and the record's path, exactly as the same
 * record's znode would be named. etcd has no folders; a key with an empty value stands for one, and none is needed.
 */
export class Keys {
  readonly #root: string;

  constructor(root: string) {
    this.#root = root.replace(/\/+$/, '');
  }

  key(path: string): Buffer {
    return Buffer.from(`${this.#root}/${path}`, 'utf8');
  }

  path(key: Buffer): string {
    return key.toString('utf8', Buffer.byteLength(this.#root) + 1);
  }

  /** All keys below `path`, without the key of `path` itself. */
  below(path: string): { key: Buffer; range_end: Buffer } {
    const key = this.key(`${path}/`);
    // The slash is the last byte and not 0xff, so the first key behind the range differs in that byte only.
    const end = Buffer.from(key);
    end[end.length - 1] = SLASH + 1;
    return { key, range_end: end };
  }
}

const SLASH = 0x2f;

/** The first key behind `key`, to go on reading after a page. */
export function keyAfter(key: Buffer): Buffer {
  return Buffer.concat([key, Buffer.from([0])]);
}
