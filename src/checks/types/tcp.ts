import type { CloseMode } from '../closing.ts';
import { closeField, closeSocket } from '../closing.ts';
import { checkType } from '../definition.ts';
import type { CheckDefinition } from '../port.ts';
import type { Prober } from '../prober.ts';
import { Attempt, connectTo } from '../prober.ts';

interface TcpDefinition extends CheckDefinition {
  readonly close: CloseMode;
}

export const tcpCheck = checkType({
  type: 'tcp',
  summary:
    'Opens a TCP connection and closes it. A success proves that the kernel of the real accepts connections on the ' +
    'port; it does not prove that a process answers on them.',
  fields: (builders) => ({ close: closeField(builders) }),
  example: { type: 'tcp', interval: '2s', timeout: '1s' },
  define: ({ close }) => ({ close }),
  prober: (definition) => tcpProber(definition as TcpDefinition),
});

function tcpProber({ timeoutMs, close }: TcpDefinition): Prober {
  return (endpoint, { clock }) =>
    new Promise((resolve) => {
      const attempt = new Attempt(clock, endpoint, timeoutMs, resolve);
      const socket = connectTo(endpoint);
      attempt.holds(() => closeSocket(socket, close));
      socket.once('connect', () => attempt.succeed('connected'));
      socket.on('error', (error) => attempt.fail(error));
    });
}
