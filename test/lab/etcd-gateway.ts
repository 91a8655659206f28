/**
 * An outside client of etcd: its HTTP gateway, spoken with fetch. It shares no code with the source under test, not
 * even the protocol. (etcd: api/etcdserverpb/rpc.proto, the google.api.http options; int64 and bytes are strings.)
 */
export class EtcdGateway {
  readonly #endpoint: string;
  readonly #root: string;

  /** @param root put before every path, with a slash between */
  constructor(endpoint: string, root: string) {
    this.#endpoint = endpoint;
    this.#root = root;
  }

  async put(path: string, text: string): Promise<void> {
    await this.#post('kv/put', { key: this.#key(path), value: base64(text) });
  }

  makeFolder(path: string): Promise<void> {
    return this.put(path, '');
  }

  async remove(path: string): Promise<void> {
    await this.#post('kv/deleterange', { key: this.#key(path) });
  }

  async removeTree(path: string): Promise<void> {
    await this.remove(path);
    // '0' is the character behind the slash.
    await this.removeRange(`${path}/`, `${path}0`);
  }

  /** From the first up to the second, which stays. In one transaction, however many they are. */
  async removeRange(from: string, end: string): Promise<void> {
    await this.#post('kv/deleterange', { key: this.#key(from), range_end: this.#key(end) });
  }

  async get(path: string): Promise<string | null> {
    const reply = (await this.#post('kv/range', { key: this.#key(path) })) as { kvs?: { value?: string }[] };
    const kv = reply.kvs?.[0];
    return kv === undefined ? null : Buffer.from(kv.value ?? '', 'base64').toString();
  }

  /** In one transaction, of which etcd takes 128 operations. */
  async putAll(paths: readonly string[], text: string): Promise<void> {
    const success = paths.map((path) => ({ request_put: { key: this.#key(path), value: base64(text) } }));
    await this.#post('kv/txn', { success });
  }

  /** Forgets every revision before the newest. */
  async compact(): Promise<void> {
    const { header } = (await this.#post('kv/range', { key: this.#key('x') })) as { header: { revision: string } };
    await this.#post('kv/compaction', { revision: header.revision, physical: true });
  }

  #key(path: string): string {
    return base64(`${this.#root}/${path}`);
  }

  async #post(method: string, body: object): Promise<unknown> {
    const reply = await fetch(`${this.#endpoint}/v3/${method}`, {
      method: 'POST',
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(5_000),
    });
    if (!reply.ok) throw new Error(`${method}: ${reply.status} ${await reply.text()}`);
    return reply.json();
  }
}

function base64(text: string): string {
  return Buffer.from(text).toString('base64');
}
