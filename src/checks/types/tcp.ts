import { connect } from 'node:net';
import { choice } from '../../model/fields.ts';
import { checkType } from '../definition.ts';
import type { CheckDefinition } from '../port.ts';
import type { Prober } from '../prober.ts';
import { Attempt } from '../prober.ts';

const CLOSE_MODES = ['rst', 'fin'] as const;

interface TcpDefinition extends CheckDefinition {
  readonly close: (typeof CLOSE_MODES)[number];
}

export const tcpCheck = checkType({
  type: 'tcp',
  summary:
    'Opens a TCP connection and closes it. A success proves that the kernel of the real accepts connections on the ' +
    'port; it does not prove that a process answers on them.',
  fields: {
    close: choice(CLOSE_MODES, {
      default: 'rst',
      description:
        'How the connection is closed: "rst" leaves nothing behind on the director, but some applications log it; ' +
        '"fin" closes in order and leaves one TIME_WAIT entry for each probe.',
    }),
  },
  example: { type: 'tcp', interval: '2s', timeout: '1s' },
  define: ({ close }) => ({ close }),
  prober: (definition) => tcpProber(definition as TcpDefinition),
});

function tcpProber({ timeoutMs, close }: TcpDefinition): Prober {
  return (endpoint, { clock }) =>
    new Promise((resolve) => {
      const attempt = new Attempt(clock, endpoint, timeoutMs, resolve);
      const socket = connect({ host: endpoint.address, port: endpoint.port });
      attempt.holds(() => {
        // A reset of a socket that is still connecting would wait for the connection, so that one is just dropped.
        if (close === 'rst' && !socket.connecting && !socket.destroyed) socket.resetAndDestroy();
        else if (socket.connecting) socket.destroy();
        else socket.destroySoon();
      });
      socket.once('connect', () => attempt.succeed('connected'));
      socket.on('error', (error) => attempt.fail(error));
    });
}
