// An operator's own tool, in no way related to vipkeeper: edits and reads the store with somebody else's client, driven
// over a Unix socket: `node outsider.mjs SOCKET zookeeper|etcd|directory WHERE`.
//   POST /put {path, text}   POST /remove {path}   POST /read {path}   POST /removeTree {path}
// Paths are those of the store: '/vipkeeper/config/vips/web'.
import { createServer } from 'node:http';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

const [socket = '', kind = '', where = ''] = process.argv.slice(2);

async function zookeeperTool() {
  const { default: zookeeper } = await import('node-zookeeper-client');
  const connect = () => {
    const client = zookeeper.createClient(where, { sessionTimeout: 10_000, retries: 2 });
    client.connect();
    return new Promise((resolve) => client.once('connected', () => resolve(client)));
  };
  // That client does not survive a killed server: a new one for each command is what its users do.
  const withClient = async (work) => {
    const client = await connect();
    try {
      return await new Promise((resolve, reject) => {
        work(client, (error, value) => (error ? reject(new Error(String(error))) : resolve(value)));
      });
    } finally {
      client.close();
    }
  };
  const write = (path, text) => (client, done) => {
    client.exists(path, (error, stat) => {
      if (error) return done(error);
      if (stat) return client.setData(path, Buffer.from(text), done);
      client.mkdirp(path, Buffer.alloc(0), (failed) =>
        failed ? done(failed) : client.setData(path, Buffer.from(text), done),
      );
    });
  };
  const removeTree = (client, path, done) => {
    client.getChildren(path, (error, children) => {
      if (error) return done(error);
      const next = (left) => {
        const [child, ...rest] = left;
        if (child === undefined) return client.remove(path, -1, done);
        removeTree(client, `${path}/${child}`, (failed) => (failed ? done(failed) : next(rest)));
      };
      next(children);
    });
  };
  return {
    put: ({ path, text }) => withClient(write(path, text)),
    remove: ({ path }) => withClient((client, done) => client.remove(path, -1, done)),
    removeTree: ({ path }) => withClient((client, done) => removeTree(client, path, done)),
    read: ({ path }) =>
      withClient((client, done) =>
        client.getData(path, (error, data) => {
          if (error?.getName?.() === 'NO_NODE') return done(null, null);
          done(error, data?.toString());
        }),
      ),
  };
}

async function etcdTool() {
  const { Etcd3 } = await import('etcd3');
  const client = new Etcd3({ hosts: where });
  return {
    put: ({ path, text }) => client.put(path).value(text),
    remove: ({ path }) => client.delete().key(path),
    removeTree: ({ path }) => client.delete().prefix(`${path}/`),
    read: ({ path }) => client.get(path).string(),
  };
}

function directoryTool() {
  const fileOf = (path) => `${join(where, path.replace(/^\/vipkeeper\//, ''))}.json`;
  return {
    put: async ({ path, text }) => {
      await mkdir(dirname(fileOf(path)), { recursive: true });
      await writeFile(`${fileOf(path)}~`, text);
      await rename(`${fileOf(path)}~`, fileOf(path));
    },
    remove: ({ path }) => rm(fileOf(path)),
    removeTree: ({ path }) => rm(fileOf(path).replace(/\.json$/, ''), { recursive: true }),
    read: ({ path }) => readFile(fileOf(path), 'utf8').catch(() => null),
  };
}

const tools = { zookeeper: zookeeperTool, etcd: etcdTool, directory: directoryTool };
const tool = await tools[kind]();

const server = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk) => (text += chunk));
  request.on('end', async () => {
    try {
      const value = await tool[(request.url ?? '').slice(1)](JSON.parse(text));
      response.end(JSON.stringify({ value: typeof value === 'string' ? value : null }));
    } catch (error) {
      response.statusCode = 500;
      response.end(JSON.stringify({ error: String(error) }));
    }
  });
});
server.requestTimeout = 0;
await rm(socket, { force: true });
server.listen(socket);
