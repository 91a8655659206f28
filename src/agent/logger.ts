import { pino } from 'pino';
import type { Log } from '../core/ports.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error';

/** One JSON object a line on standard output, written at once: a daemon that dies must not take its last words along. */
export function createLogger(level: LogLevel, agent: string): Log {
  return pino(
    {
      level,
      base: { agent },
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
      redact: { paths: ['password', '*.password', 'auth', '*.auth'], censor: '[secret]' },
    },
    pino.destination({ dest: 1, sync: true }),
  );
}
