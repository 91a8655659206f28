import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CodedError } from '../../../../src/core/errors.ts';
import { err, ok } from '../../../../src/core/result.ts';
import type { Result } from '../../../../src/core/result.ts';
import type { Call, NodeData, Stat } from '../../../../src/sources/zookeeper/calls.ts';
import { ConfigTree } from '../../../../src/sources/zookeeper/config-tree.ts';
import { chunks, visitAll } from '../../../../src/sources/zookeeper/node-reader.ts';
import type { ManyResult, NodeReader, Requester, Visit } from '../../../../src/sources/zookeeper/node-reader.ts';
import { EVENT, OP, SERVER_ERROR, ServerRefusal } from '../../../../src/sources/zookeeper/protocol.ts';
import { runs } from '../../../fakes/property.ts';

const BATCH = 4;
const LIMITS = { maxRecords: 1_000, maxBytes: 10_000 };

/**
 * A tree of nodes that others may change between any two of our reads, with ZooKeeper's two kinds of watches: one
 * recursive watch on config/ and one-shot watches set by `exists`, or one-shot watches only, set by every read.
 */
class FakeTree implements NodeReader, Requester {
  readonly oneShot: boolean;
  readonly #dataWatches = new Set<string>();
  readonly #childWatches = new Set<string>();
  readonly nodes = new Map<string, { text: string; czxid: bigint; mzxid: bigint }>();
  lastZxid = 0n;
  reads = 0;
  nodesRead = 0;
  meanwhile: (read: number) => void = () => undefined;
  failure: CodedError | undefined;
  tree: ConfigTree | undefined;

  constructor(oneShot: boolean) {
    this.oneShot = oneShot;
  }

  /** Sets a node, its parents included; empty text is a folder. */
  set(path: string, text: string): void {
    for (let at = path.indexOf('/', 1); at !== -1; at = path.indexOf('/', at + 1)) {
      if (!this.nodes.has(path.slice(0, at))) this.#put(path.slice(0, at), '');
    }
    this.#put(path, text);
  }

  /** Deletes a node and what is below it, the deepest first, as ZooKeeper clients must. */
  remove(path: string): void {
    const doomed = [...this.nodes.keys()].filter((each) => each === path || each.startsWith(`${path}/`));
    for (const each of doomed.sort((a, b) => b.length - a.length)) {
      this.nodes.delete(each);
      this.lastZxid += 1n;
      const hadChildWatch = this.#childWatches.delete(each);
      this.#fire(EVENT.deleted, each, hadChildWatch);
      this.#fireParent(each);
    }
  }

  async request<T>(call: Call<T>): Promise<Result<T, CodedError>> {
    expect(call.op).toBe(OP.exists);
    await this.#turn();
    const path = call.what.split(' ')[1] ?? '';
    this.#dataWatches.add(path);
    const stat = { czxid: 1n } as Stat;
    return this.nodes.has(path) ? ok(stat as T) : err(new ServerRefusal(SERVER_ERROR.noNode, call.what));
  }

  async data(paths: readonly string[]): Promise<ManyResult<NodeData>> {
    await this.#turn();
    this.nodesRead += paths.length;
    if (this.failure !== undefined) return err(this.failure);
    for (const path of paths) if (this.oneShot && this.nodes.has(path)) this.#dataWatches.add(path);
    return ok(paths.map((path) => this.#nodeAt(path)));
  }

  /** A few at a time, so that others come between. */
  async visit(paths: readonly string[], visit: Visit): Promise<Result<void, CodedError>> {
    for (const batch of chunks(paths, BATCH)) {
      const nodes = await this.data(batch);
      if (!nodes.ok) return nodes;
      const visited = visitAll(batch, nodes.value, visit);
      if (!visited.ok) return visited;
    }
    return ok(undefined);
  }

  async children(paths: readonly string[]): Promise<ManyResult<readonly string[]>> {
    await this.#turn();
    for (const path of paths) if (this.oneShot && this.nodes.has(path)) this.#childWatches.add(path);
    return ok(paths.map((path) => (this.nodes.has(path) ? this.#namesIn(path) : null)));
  }

  records(): Record<string, string> {
    const below = [...this.nodes].filter(([path]) => path.startsWith('/root/config/'));
    return Object.fromEntries(below.map(([path, node]) => [path.slice('/root/'.length), node.text]));
  }

  #put(path: string, text: string): void {
    this.lastZxid += 1n;
    const type = this.nodes.has(path) ? EVENT.dataChanged : EVENT.created;
    this.nodes.set(path, { text, czxid: this.nodes.get(path)?.czxid ?? this.lastZxid, mzxid: this.lastZxid });
    this.#fire(type, path, false);
    if (type === EVENT.created) this.#fireParent(path);
  }

  #fire(type: number, path: string, watchedOtherwise: boolean): void {
    const recursive = !this.oneShot && (path === '/root/config' || path.startsWith('/root/config/'));
    const oneShot = this.#dataWatches.delete(path);
    if (recursive || oneShot || watchedOtherwise) this.tree?.note({ type, path });
  }

  #fireParent(path: string): void {
    const parent = path.slice(0, path.lastIndexOf('/'));
    if (this.#childWatches.delete(parent)) this.tree?.note({ type: EVENT.childrenChanged, path: parent });
  }

  async #turn(): Promise<void> {
    await Promise.resolve();
    this.meanwhile(this.reads++);
  }

  #nodeAt(path: string): NodeData | null {
    const node = this.nodes.get(path);
    if (node === undefined) return null;
    const { czxid, mzxid } = node;
    const stat = { czxid, mzxid, version: 0, ephemeralOwner: 0n, childCount: this.#namesIn(path).length };
    return { bytes: Buffer.from(node.text), stat };
  }

  #namesIn(path: string): string[] {
    const below = [...this.nodes.keys()].filter((each) => each.startsWith(`${path}/`));
    return below.map((each) => each.slice(path.length + 1)).filter((name) => !name.includes('/'));
  }
}

function open(limits = LIMITS, oneShot = false): { store: FakeTree; tree: ConfigTree } {
  const store = new FakeTree(oneShot);
  const tree = new ConfigTree(store, '/root', limits);
  store.tree = tree;
  return { store, tree };
}

async function recordsOf(tree: ConfigTree, store: FakeTree): Promise<Record<string, string>> {
  const read = await tree.read(store, store);
  if (!read.ok) throw read.error;
  return Object.fromEntries([...read.value.records].map(([path, each]) => [path, Buffer.from(each.bytes).toString()]));
}

describe('reading', () => {
  test('the whole tree at first, with folders, without config itself and its siblings', async () => {
    const { store, tree } = open();
    store.set('/root/config/services/web/reals/a', '{}');
    store.set('/root/state/health/web/lb1', '{}');
    expect(await recordsOf(tree, store)).toEqual({
      'config/services': '',
      'config/services/web': '',
      'config/services/web/reals': '',
      'config/services/web/reals/a': '{}',
    });
  });

  test('one edit costs one node', async () => {
    const { store, tree } = open();
    for (let n = 0; n < 50; n++) store.set(`/root/config/vips/v${n}`, '{}');
    await recordsOf(tree, store);
    store.set('/root/config/vips/v7', '{"changed":1}');
    store.nodesRead = 0;
    expect((await recordsOf(tree, store))['config/vips/v7']).toBe('{"changed":1}');
    expect(store.nodesRead).toBe(1);
  });

  test('nothing changed: nothing is read', async () => {
    const { store, tree } = open();
    store.set('/root/config/vips/a', '{}');
    await recordsOf(tree, store);
    store.reads = 0;
    await recordsOf(tree, store);
    expect(store.reads).toBe(0);
  });

  test('after a reconnect everything is read again: events were missed', async () => {
    const { store, tree } = open();
    store.set('/root/config/vips/a', '{}');
    await recordsOf(tree, store);
    store.tree = undefined;
    store.remove('/root/config/vips/a');
    store.set('/root/config/vips/b', '{}');
    tree.invalidate();
    expect(Object.keys(await recordsOf(tree, store))).toEqual(['config/vips', 'config/vips/b']);
  });

  test('a root that is absent is said, and noticed when it comes', async () => {
    const { store, tree } = open();
    const absent = await tree.read(store, store);
    expect(absent.ok && absent.value).toMatchObject({ rootExists: false, records: new Map() });
    store.set('/root/config/vips/a', '{}');
    const present = await tree.read(store, store);
    expect(present.ok && present.value.rootExists).toBe(true);
    expect(present.ok && present.value.records.size).toBe(2);
  });

  test('events elsewhere are nobody’s business; unknown types may mean anything', () => {
    const { tree } = open();
    expect(tree.note({ type: EVENT.created, path: '/root/configuration' })).toBe(false);
    expect(tree.note({ type: EVENT.created, path: '/root/config/vips/a' })).toBe(true);
    expect(tree.note({ type: 77, path: '/elsewhere' })).toBe(true);
  });

  test.each([
    ['records', { maxRecords: 3, maxBytes: 1_000 }],
    ['bytes', { maxRecords: 100, maxBytes: 5 }],
  ])('a tree with too many %s is an error, and no partial picture', async (_what, limits) => {
    const { store, tree } = open(limits);
    for (let n = 0; n < 4; n++) store.set(`/root/config/v${n}`, '{}');
    expect(await tree.read(store, store)).toMatchObject({ ok: false, error: { code: 'STORE_TOO_LARGE' } });
    store.remove('/root/config/v0');
    store.remove('/root/config/v1');
    expect(Object.keys(await recordsOf(tree, store))).toHaveLength(2);
  });

  test('a refused node fails the read, and the next one starts afresh', async () => {
    const { store, tree } = open();
    store.set('/root/config/vips/a', '{}');
    await recordsOf(tree, store);
    store.set('/root/config/vips/a', '{"x":1}');
    store.failure = new ServerRefusal(SERVER_ERROR.noAuth, 'getData /root/config/vips/a');
    expect(await tree.read(store, store)).toMatchObject({ ok: false, error: { code: 'STORE_FORBIDDEN' } });
    store.failure = undefined;
    expect((await recordsOf(tree, store))['config/vips/a']).toBe('{"x":1}');
  });

  test('changes that never stop are given up on with an error that passes', async () => {
    const { store, tree } = open();
    store.meanwhile = (read) => store.set('/root/config/vips/a', String(read));
    expect(await tree.read(store, store)).toMatchObject({
      ok: false,
      error: { code: 'STORE_CONFLICT', transient: true },
    });
  });
});

const PATHS = ['', 'a', 'a/b', 'a/b/c', 'a/d', 'e', 'e/f', 'e/f/g'].map((path) =>
  `/root/config/${path}`.replace(/\/$/, ''),
);
const change = fc.record({
  atRead: fc.nat(30),
  path: fc.constantFrom(...PATHS),
  text: fc.option(fc.constantFrom('', '1', '22', '333')),
});

test.each([
  ['one recursive watch', false],
  ['one-shot watches', true],
])('with %s: whenever others write, what is returned is the tree as the last reply left it', async (_kind, oneShot) => {
  await fc.assert(
    fc.asyncProperty(fc.array(change, { maxLength: 40 }), fc.nat(5), async (changes, count) => {
      const { store, tree } = open(LIMITS, oneShot);
      for (const path of PATHS.slice(0, count)) store.set(path, 'x');
      store.meanwhile = (read) => {
        for (const { path, text } of changes.filter((each) => each.atRead === read)) {
          if (text === null) store.remove(path);
          else store.set(path, text);
        }
      };
      expect(await recordsOf(tree, store)).toEqual(store.records());
      store.meanwhile(store.reads++);
      expect(await recordsOf(tree, store)).toEqual(store.records());
    }),
    runs(400),
  );
});
