import { connect } from 'node:tls';
import type { ConnectionOptions } from 'node:tls';
import { pem } from './tls-files.ts';

export interface HttpsAnswer {
  /** All that came, head and body. */
  readonly text: string;
  /** Of the certificate that the server showed. */
  readonly fingerprint: string | undefined;
  /** Of this TLS session, to come back with. */
  readonly session: Buffer | undefined;
  readonly resumed: boolean;
}

/** One GET over TLS on a connection of its own, trusting the authority of test/vectors/tls. */
export function askOverTls(port: number, options: ConnectionOptions = {}, path = '/healthz'): Promise<HttpsAnswer> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port, ca: pem('ca.pem'), ...options });
    let text = '';
    let session: Buffer | undefined;
    let fingerprint: string | undefined;
    let resumed = false;
    socket.once('secureConnect', () => {
      resumed = socket.isSessionReused();
      fingerprint = socket.getPeerX509Certificate()?.fingerprint256;
      socket.write(`GET ${path} HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n`);
    });
    socket.on('session', (ticket) => (session = ticket));
    socket.setEncoding('utf8').on('data', (chunk) => (text += String(chunk)));
    socket.on('error', reject);
    socket.on('close', () => resolve({ text, fingerprint, session, resumed }));
  });
}
