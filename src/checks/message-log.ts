import type { Log } from '../core/ports.ts';
import type { FromShard } from './protocol.ts';

type LogMessage = Extract<FromShard, { readonly kind: 'log' }>;

/** A log whose lines another thread writes. What is only for debugging stays unsaid. */
export function messageLog(send: (message: LogMessage) => void, bindings: object = {}): Log {
  const at = (level: LogMessage['level']) => (fields: object, message: string) =>
    send({ kind: 'log', level, fields: { ...bindings, ...fields }, message });
  return {
    debug: () => undefined,
    info: at('info'),
    warn: at('warn'),
    error: at('error'),
    child: (more) => messageLog(send, { ...bindings, ...more }),
  };
}
