// A real server of the lab: `node web-real.mjs NAME PORT [ADDRESS]`. Plain JavaScript, so that it starts quickly.
//   /         its name                       /healthz  200, or what /set/STATUS said last
//   /drip?ms=2000&chunks=20                  a download that takes its time
//   /set/503  makes /healthz answer 503
import { createServer } from 'node:http';
import { setTimeout as sleep } from 'node:timers/promises';

const [name = 'real', port = '80', address] = process.argv.slice(2);
let health = 200;

async function drip(url, response) {
  const chunks = Number(url.searchParams.get('chunks') ?? 20);
  const ms = Number(url.searchParams.get('ms') ?? 2_000);
  response.writeHead(200, { 'content-type': 'text/plain' });
  for (let sent = 0; sent < chunks && !response.destroyed; sent++) {
    response.write(`${name}\n`);
    await sleep(ms / chunks);
  }
  response.end();
}

const server = createServer((request, response) => {
  const url = new URL(request.url ?? '/', 'http://real');
  if (url.pathname === '/drip') return void drip(url, response);
  if (url.pathname.startsWith('/set/')) health = Number(url.pathname.slice('/set/'.length));
  response.writeHead(url.pathname === '/healthz' ? health : 200, { 'content-type': 'text/plain' });
  response.end(`${name}\n`);
});
server.listen(Number(port), address, () => process.stdout.write('listening\n'));
