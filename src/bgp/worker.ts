import { networkInterfaces } from 'node:os';
import { type MessagePort, parentPort } from 'node:worker_threads';
import type { Log } from '../core/ports.ts';
import { assertNever } from '../core/result.ts';
import { systemClock } from '../core/system-clock.ts';
import { dialTcp } from './connection.ts';
import { BgpSpeaker } from './speaker.ts';
import type { FromWorker, LogLevel, ToWorker } from './worker-protocol.ts';

/** Changes of the status within this time are told as one. */
const STATUS_DELAY_MS = 5;

/** The thread that owns all sessions, so that nothing the agent does can starve a KEEPALIVE. */
function serve(port: MessagePort): void {
  const tell = (message: FromWorker): void => port.postMessage(message);
  const speaker = new BgpSpeaker({
    clock: systemClock,
    random: Math.random,
    log: remoteLog(tell, {}),
    dial: dialTcp(systemClock),
    interfaces: networkInterfaces,
    defer: (run) => void setImmediate(run),
  });
  let telling = false;
  speaker.onChange(() => {
    if (telling) return;
    telling = true;
    systemClock.after(STATUS_DELAY_MS, () => {
      telling = false;
      tell({ kind: 'peers', peers: speaker.peers() });
    });
  });
  port.on('message', (message: ToWorker) => {
    switch (message.kind) {
      case 'configure':
        speaker.configure(message.settings);
        break;
      case 'routes':
        void speaker.changeRoutes(message.delta, message.flushTimeoutMs).then(({ flushed }) => {
          tell({ kind: 'flushed', id: message.id, flushed });
        });
        break;
      case 'releaseEndOfRib':
        speaker.releaseEndOfRib();
        break;
      case 'ping':
        tell({ kind: 'pong' });
        break;
      case 'stop':
        void speaker.stop(message.mode).then(() => tell({ kind: 'stopped' }));
        break;
      default:
        assertNever(message);
    }
  });
}

function remoteLog(tell: (message: FromWorker) => void, bindings: object): Log {
  const at =
    (level: LogLevel) =>
    (fields: object, message: string): void =>
      tell({ kind: 'log', level, fields: { ...bindings, ...fields }, message });
  return {
    debug: at('debug'),
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (more) => remoteLog(tell, { ...bindings, ...more }),
  };
}

if (parentPort !== null) serve(parentPort);
