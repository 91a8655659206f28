// `real NAME PORT` answers every datagram with its name; `client PORT HOST PORT` asks again and again from one port
// and writes down each answer, or that there was none; its question may be given as a fourth word.
import { createSocket } from 'node:dgram';
import { isIPv6 } from 'node:net';

const [role, first = '', second = '', third = '', question = 'who?'] = process.argv.slice(2);
const PATIENCE_MS = 200;

if (role === 'real') {
  const socket = createSocket({ type: 'udp6' });
  socket.on('message', (_, { port, address }) => socket.send(first, port, address));
  socket.bind(Number(second), () => console.log('listening'));
} else {
  const socket = createSocket(isIPv6(second) ? 'udp6' : 'udp4');
  let timer;
  const ask = () => {
    socket.send(question, Number(third), second);
    timer = setTimeout(() => told('nobody'), PATIENCE_MS);
  };
  const told = (answer) => {
    clearTimeout(timer);
    console.log(answer);
    setTimeout(ask, 50);
  };
  socket.on('message', (answer) => told(String(answer)));
  socket.bind(Number(first), ask);
}
