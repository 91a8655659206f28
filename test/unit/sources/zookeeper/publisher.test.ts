import { beforeEach, describe, expect, test } from 'vitest';
import { ByteReader } from '../../../../src/core/bytes.ts';
import type { CodedError } from '../../../../src/core/errors.ts';
import { silentLog } from '../../../../src/core/ports.ts';
import { err, ok } from '../../../../src/core/result.ts';
import type { Result } from '../../../../src/core/result.ts';
import { OPEN_ACL } from '../../../../src/sources/zookeeper/acl.ts';
import type { Call } from '../../../../src/sources/zookeeper/calls.ts';
import { FolderMaker } from '../../../../src/sources/zookeeper/folders.ts';
import { EVENT, OP, SERVER_ERROR, ServerRefusal } from '../../../../src/sources/zookeeper/protocol.ts';
import { Publisher } from '../../../../src/sources/zookeeper/publisher.ts';
import type { PublisherSession } from '../../../../src/sources/zookeeper/publisher.ts';
import { int, stat, text } from '../../../fakes/zookeeper-bytes.ts';

const ROOT = '/vipkeeper';
const PATH = 'state/health/web/lb1';
const NODE = `${ROOT}/${PATH}`;
const US = 7n;

/** A server with one record of interest, which notes what it is asked for. */
class Server implements PublisherSession {
  readonly lastZxid = 1n;
  readonly sessionId = US;
  connection = 1;
  node: { owner: bigint; version: number } | null = null;
  takesWatches = true;
  /** Operations on the record, in order: what was written, and what was asked for. */
  asked: string[] = [];
  replyBytes = 0;

  request<T>(call: Call<T>): Promise<Result<T, CodedError>> {
    if (!call.what.includes(NODE)) return Promise.resolve(this.#answer(call, Buffer.concat([text(''), stat()])));
    this.asked.push(call.what.replace(NODE, 'it'));
    switch (call.op) {
      case OP.exists:
        if (this.node === null) return Promise.resolve(err(new ServerRefusal(SERVER_ERROR.noNode, call.what)));
        return Promise.resolve(this.#answer(call, this.#stat()));
      case OP.addWatch:
        if (this.takesWatches) return Promise.resolve(this.#answer(call, int(0)));
        return Promise.resolve(err(new ServerRefusal(SERVER_ERROR.noAuth, call.what)));
      case OP.multi:
        return Promise.resolve(this.#answer(call, this.#write(call.what)));
      default:
        throw new Error(`unexpected: ${call.what}`);
    }
  }

  #answer<T>(call: Call<T>, body: Buffer): Result<T, CodedError> {
    this.replyBytes += body.length;
    return ok(call.decode(new ByteReader(body)));
  }

  #write(what: string): Buffer {
    const isCreation = what.includes('first: create');
    this.node = isCreation ? { owner: US, version: 0 } : { owner: US, version: (this.node?.version ?? 0) + 1 };
    const header = (type: number, done: number): Buffer =>
      Buffer.concat([int(type), Buffer.from([done]), int(done === 1 ? -1 : 0)]);
    const result = isCreation ? [header(OP.create, 0), text(NODE)] : [header(OP.setData, 0), this.#stat()];
    return Buffer.concat([...result, header(-1, 1)]);
  }

  #stat(): Buffer {
    return stat({ owner: this.node?.owner ?? 0n, version: this.node?.version ?? 0 });
  }
}

let server: Server;
let publisher: Publisher;
let canWatch: boolean;

beforeEach(() => {
  server = new Server();
  canWatch = true;
  publisher = new Publisher({
    session: server,
    canWatch: () => canWatch,
    folders: new FolderMaker(server, ROOT, { acl: () => OPEN_ACL, hasContainers: () => true }),
    root: ROOT,
    acl: () => OPEN_ACL,
    log: silentLog,
  });
});

/** @returns what was asked about the record meanwhile */
async function publish(value: string): Promise<string[]> {
  server.asked = [];
  await publisher.publish(new Map([[PATH, Buffer.from(value)]]));
  return server.asked;
}

const CREATE = 'multi of 1 (first: create it)';
const SET = 'multi of 1 (first: set it)';

describe('what a change of one of our records costs', () => {
  test('one write and nothing else, where a watch would have told of the end of the node', async () => {
    expect(await publish('one')).toEqual(['addWatch it', CREATE]);
    expect(await publish('two')).toEqual([SET]);
    expect(await publish('two')).toEqual([]);
  });

  test.each([
    ['of a server that knows no such watch', () => (canWatch = false)],
    ['where the watch was refused', () => (server.takesWatches = false)],
  ])('a look at the owner before the write, but never at the record itself: %s', async (_case, arrange) => {
    arrange();
    const large = 'x'.repeat(15_000);
    await publish(large);
    server.replyBytes = 0;
    expect(await publish(`${large}y`)).toEqual(['exists it', SET]);
    // Two Stats and two headers: what was 15 kB before.
    expect(server.replyBytes).toBeLessThan(200);
  });

  test('after a new connection a look, and no write of what is still as we left it', async () => {
    await publish('one');
    server.connection = 2;
    expect(await publish('one')).toEqual(['addWatch it', 'exists it']);
    server.connection = 3;
    server.node = { owner: US, version: 5 };
    expect(await publish('one')).toEqual(['addWatch it', 'exists it', SET]);
  });

  test('a record that the watch says is gone is not taken for ours again, whatever version the new one has', async () => {
    await publish('one');
    server.node = { owner: 8n, version: 0 };
    expect(publisher.note({ type: EVENT.deleted, path: NODE })).toBe(true);
    server.asked = [];
    const report = await publisher.publish(new Map([[PATH, Buffer.from('two')]]));
    expect(server.asked).toEqual(['exists it']);
    expect(report.ok && [...report.value.refused]).toEqual([[PATH, '0x8']]);
    // Neither is it deleted as ours once we want it no more.
    server.asked = [];
    await publisher.publish(new Map());
    expect(server.node).toEqual({ owner: 8n, version: 0 });
  });
});
