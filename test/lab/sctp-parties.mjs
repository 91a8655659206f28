// `real NAME ADDRESS PORT` greets every association with its name; `client ADDRESS HOST PORT COUNT` makes so many, one
// after the other, and writes down who greeted. Node.js has no SCTP, so this calls the C library, and waits in it. Both
// sides bind an address of their own: an association of several would tell of them, and go past what rewrites one.
import { isIPv6 } from 'node:net';
import koffi from 'koffi';

const libc = koffi.load('libc.so.6');
const call = (prototype) => {
  const run = libc.func(prototype);
  return (...args) => {
    const result = run(...args);
    if (result < 0) throw new Error(`${prototype}: errno ${koffi.errno()}`);
    return result;
  };
};
const socket = call('int socket(int, int, int)');
const bind = call('int bind(int, const uint8_t *, uint32_t)');
const listen = call('int listen(int, int)');
const accept = call('int accept(int, void *, void *)');
const connect = call('int connect(int, const uint8_t *, uint32_t)');
const send = call('int64_t send(int, const uint8_t *, size_t, int)');
const receive = call('int64_t recv(int, _Out_ uint8_t *, size_t, int)');
const close = call('int close(int)');
const parse = call('int inet_pton(int, const char *, _Out_ uint8_t *)');

// <bits/socket.h>, <netinet/in.h>
const [AF_INET, AF_INET6, SOCK_STREAM, IPPROTO_SCTP] = [2, 10, 1, 132];
const familyOf = (host) => (isIPv6(host) ? AF_INET6 : AF_INET);

/** struct sockaddr_in or sockaddr_in6, as ip(7) and ipv6(7) have them. */
function endpoint(host, port) {
  const isV6 = isIPv6(host);
  const bytes = Buffer.alloc(isV6 ? 28 : 16);
  bytes.writeUInt16LE(familyOf(host), 0);
  bytes.writeUInt16BE(Number(port), 2);
  const address = Buffer.alloc(isV6 ? 16 : 4);
  parse(familyOf(host), host, address);
  address.copy(bytes, isV6 ? 8 : 4);
  return bytes;
}

function openAt(host, port) {
  const fd = socket(familyOf(host), SOCK_STREAM, IPPROTO_SCTP);
  const at = endpoint(host, port);
  bind(fd, at, at.length);
  return fd;
}

const [role, ...words] = process.argv.slice(2);
if (role === 'real') {
  const [name = '', host = '', port = ''] = words;
  const fd = openAt(host, port);
  listen(fd, 16);
  process.stdout.write('listening\n', () => {
    for (;;) {
      const one = accept(fd, null, null);
      send(one, Buffer.from(name), name.length, 0);
      close(one);
    }
  });
} else {
  const [own = '', host = '', port = '', count = '1'] = words;
  for (let made = 0; made < Number(count); made++) {
    const fd = openAt(own, 0);
    const to = endpoint(host, port);
    connect(fd, to, to.length);
    const answer = Buffer.alloc(64);
    const length = Number(receive(fd, answer, answer.length, 0));
    console.log(answer.toString('utf8', 0, length));
    close(fd);
  }
}
