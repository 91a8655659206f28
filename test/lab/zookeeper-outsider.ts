import zookeeper from 'node-zookeeper-client';
import type { Client, Exception, Stat } from 'node-zookeeper-client';

type Failure = Error | Exception | null;

/** node-zookeeper-client with promises: somebody else at the same store, whose code is not ours. Paths are absolute. */
export class ZookeeperOutsider {
  readonly #client: Client;

  private constructor(client: Client) {
    this.#client = client;
  }

  /** @param auth "user:password" */
  static connect(server: string, auth?: string): Promise<ZookeeperOutsider> {
    const client = zookeeper.createClient(server, { sessionTimeout: 10_000, spinDelay: 50 });
    return new Promise((resolve) => {
      client.once('connected', () => {
        if (auth !== undefined) client.addAuthInfo('digest', Buffer.from(auth));
        resolve(new ZookeeperOutsider(client));
      });
      client.connect();
    });
  }

  /** Sets a node, its parents included. */
  async put(path: string, text: string): Promise<void> {
    const data = Buffer.from(text);
    try {
      await call((done) => this.#client.setData(path, data, -1, done));
    } catch (error) {
      if (!isNoNode(error)) throw error;
      await call((done) => this.#client.mkdirp(path, data, done));
      await call((done) => this.#client.setData(path, data, -1, done));
    }
  }

  /** Sets many existing or new nodes below one existing folder, in transactions of a hundred. */
  async putMany(folder: string, texts: ReadonlyMap<string, string>): Promise<void> {
    const entries = [...texts];
    for (let at = 0; at < entries.length; at += 100) {
      const transaction = this.#client.transaction();
      for (const [name, text] of entries.slice(at, at + 100))
        transaction.create(`${folder}/${name}`, Buffer.from(text));
      await call((done) => transaction.commit(done));
    }
  }

  async putEphemeral(path: string, text: string): Promise<void> {
    const open = [new zookeeper.ACL(31, new zookeeper.Id('world', 'anyone'))];
    const { EPHEMERAL } = zookeeper.CreateMode;
    await call((done) => this.#client.create(path, Buffer.from(text), open, EPHEMERAL, done));
  }

  async get(path: string): Promise<string | null> {
    try {
      const data = await call<Buffer>((done) => this.#client.getData(path, done));
      return data?.toString() ?? '';
    } catch (error) {
      if (isNoNode(error)) return null;
      throw error;
    }
  }

  /** The session that holds an ephemeral node, as '0x…'; null when there is no node. */
  async owner(path: string): Promise<string | null> {
    const stat = await call<Stat>((done) => this.#client.exists(path, done));
    // The declaration is wrong: what arrives is a Buffer of eight bytes, and no stat at all for an absent node.
    const bytes: unknown = (stat as { ephemeralOwner?: unknown } | undefined)?.ephemeralOwner;
    return Buffer.isBuffer(bytes) ? `0x${bytes.readBigUInt64BE().toString(16)}` : null;
  }

  /** "world:anyone:1 digest:ana:…:31" */
  async acl(path: string): Promise<string> {
    const entries = await call<{ id: { scheme: string; id: string }; permission: number }[]>((done) =>
      this.#client.getACL(path, done as never),
    );
    return (entries ?? []).map(({ id, permission }) => `${id.scheme}:${id.id}:${permission}`).join(' ');
  }

  async children(path: string): Promise<string[]> {
    return (await call<string[]>((done) => this.#client.getChildren(path, done))) ?? [];
  }

  async remove(path: string): Promise<void> {
    await call((done) => this.#client.remove(path, -1, done));
  }

  /** The deepest first and one by one, as zkCli's deleteall does. */
  async removeTree(path: string): Promise<void> {
    const children = await this.children(path);
    await Promise.all(children.map((child) => this.removeTree(`${path}/${child}`)));
    await this.remove(path);
  }

  close(): void {
    this.#client.close();
  }
}

function isNoNode(error: unknown): boolean {
  return error instanceof zookeeper.Exception && error.getCode() === zookeeper.Exception.NO_NODE;
}

function call<T = unknown>(start: (done: (error: Failure, value?: T) => void) => void): Promise<T | undefined> {
  return new Promise((resolve, reject) => {
    start((error, value) => {
      if (error instanceof Error) reject(error);
      else resolve(value);
    });
  });
}
