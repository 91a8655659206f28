import { setLogger, setLogVerbosity, logVerbosity } from '@grpc/grpc-js';
import type { Log } from '../../core/ports.ts';

/**
 * grpc-js has one logger for the whole process, which writes to standard error. It says nothing that our own errors do
 * not say, except when a server complains about our pings, so it goes to the debug level.
 */
export function sendGrpcLogTo(log: Log): void {
  const write = (...parts: unknown[]): void => log.debug({ grpc: parts.map(String).join(' ') }, 'gRPC says');
  setLogger({ error: write, info: write, debug: write });
  setLogVerbosity(logVerbosity.ERROR);
}
