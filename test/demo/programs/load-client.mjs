// A client of the demo, driven over a Unix socket, which works across network namespaces: `node load-client.mjs SOCKET`.
// Plain JavaScript, so that it starts quickly. Every request is a connection of its own.
//   POST /get      {url, count, timeoutMs}   counts the answers by their text
//   POST /load     {url, everyMs, timeoutMs} starts a steady load;  POST /unload  ends it and tells its counts
//   POST /download {url, timeoutMs}          starts a download;     POST /downloaded  waits for it
import { createServer, get } from 'node:http';
import { unlinkSync } from 'node:fs';

const socket = process.argv[2] ?? '';

function fetchOnce(url, timeoutMs) {
  return new Promise((resolve) => {
    const started = performance.now();
    const done = (answer) => resolve({ ...answer, ms: performance.now() - started });
    const request = get(url, { agent: false, timeout: timeoutMs }, (response) => {
      let text = '';
      response.setEncoding('utf8');
      response.on('data', (chunk) => (text += chunk));
      response.on('end', () => done({ ok: response.complete && response.statusCode === 200, text }));
      response.on('error', (error) => done({ ok: false, text: error.message }));
    });
    request.on('timeout', () => request.destroy(new Error('timed out')));
    request.on('error', (error) => done({ ok: false, text: error.message }));
  });
}

function newTally() {
  return { requests: 0, failed: 0, answers: {}, errors: {}, slowestMs: 0 };
}

function count(tally, { ok, text, ms }) {
  tally.requests++;
  if (!ok) tally.failed++;
  const book = ok ? tally.answers : tally.errors;
  const key = text.trim().slice(0, 200);
  book[key] = (book[key] ?? 0) + 1;
  tally.slowestMs = Math.max(tally.slowestMs, Math.round(ms));
}

async function getMany({ url, count: wanted, timeoutMs }) {
  const tally = newTally();
  for (let done = 0; done < wanted; done++) count(tally, await fetchOnce(url, timeoutMs));
  return tally;
}

let load;
function startLoad({ url, everyMs, timeoutMs }) {
  const tally = newTally();
  const pending = new Set();
  const timer = setInterval(() => {
    const request = fetchOnce(url, timeoutMs).then((answer) => {
      pending.delete(request);
      count(tally, answer);
    });
    pending.add(request);
  }, everyMs);
  load = { tally, pending, timer };
  return {};
}

async function endLoad() {
  clearInterval(load.timer);
  await Promise.all(load.pending);
  return load.tally;
}

let download;
const commands = {
  '/get': getMany,
  '/load': startLoad,
  '/unload': endLoad,
  '/download': ({ url, timeoutMs }) => {
    download = fetchOnce(url, timeoutMs);
    return {};
  },
  '/downloaded': () => download,
};

const server = createServer((request, response) => {
  let text = '';
  request.on('data', (chunk) => (text += chunk));
  request.on('end', async () => {
    const answer = await commands[request.url ?? '']?.(text === '' ? {} : JSON.parse(text));
    response.end(JSON.stringify(answer ?? null));
  });
});
server.requestTimeout = 0;
try {
  unlinkSync(socket);
} catch {
  // There is none yet.
}
server.listen(socket);
