import { request as sendRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { readSmallFile } from '../agent/small-file.ts';
import { describeError } from '../core/errors.ts';
import { certificatesIn } from '../model/pem.ts';
import type { AgentEndpoint } from './agent-endpoint.ts';
import { CliFailure } from './io.ts';

export interface AgentRequest {
  readonly method: 'GET' | 'POST';
  readonly timeoutMs: number;
}

export interface AgentAnswer {
  readonly status: number;
  readonly text: string;
}

type SecureEndpoint = Exclude<AgentEndpoint, { readonly kind: 'plain' }>;

const MAX_PEM_BYTES = 1024 * 1024;

/** One request on a connection of its own; nothing is sent before the server is known. @throws CliFailure */
export async function exchange(
  endpoint: AgentEndpoint,
  path: string,
  { method, timeoutMs }: AgentRequest,
): Promise<AgentAnswer> {
  const signal = AbortSignal.timeout(timeoutMs);
  if (endpoint.kind === 'plain') {
    return send(new URL(path, endpoint.url), null, method, signal).catch((error: unknown) => {
      throw new CliFailure('failure', `no agent answers at ${endpoint.url.origin}: ${describeError(error)}`);
    });
  }
  const options = connectionOptions(endpoint);
  const pinned = endpoint.kind === 'own' ? fingerprintIn(endpoint.certificate) : null;
  try {
    const socket = await connected(options, signal);
    if (endpoint.kind === 'own' && socket.getPeerX509Certificate()?.fingerprint256 !== pinned) {
      socket.destroy();
      throw new CliFailure('failure', strangerText(endpoint.url.origin, endpoint.certificate));
    }
    return await send(new URL(path, endpoint.url), socket, method, signal);
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    throw new CliFailure('failure', failureText(endpoint, error));
  }
}

function connectionOptions(endpoint: SecureEndpoint): ConnectionOptions {
  const { url, client } = endpoint;
  if (endpoint.kind === 'own' && endpoint.wantsClient && client === null) {
    const fields = '"api.tls.clientCertificate" and "api.tls.clientKey"';
    throw new CliFailure(
      'failure',
      `the agent wants a client certificate ("api.tls.clientCa"), and ${fields} name none`,
    );
  }
  const host = hostOf(url);
  return {
    host,
    port: portOf(url),
    minVersion: 'TLSv1.2',
    // RFC 6066 section 3 allows no addresses in the server name indication.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    // The agent's own certificate is compared as a whole instead.
    rejectUnauthorized: endpoint.kind !== 'own',
    ...(endpoint.kind === 'own' || endpoint.ca === null ? {} : { ca: readPem(endpoint.ca) }),
    ...(client === null ? {} : { cert: readPem(client.certificate), key: readPem(client.key) }),
  };
}

function connected(options: ConnectionOptions, signal: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connect(options);
    signal.addEventListener('abort', () => socket.destroy(new Error('the time is up')));
    socket.on('error', reject);
    socket.once('secureConnect', () => resolve(socket));
  });
}

function send(
  url: URL,
  socket: TLSSocket | null,
  method: AgentRequest['method'],
  signal: AbortSignal,
): Promise<AgentAnswer> {
  return new Promise((resolve, reject) => {
    const request = sendRequest({
      method,
      host: hostOf(url),
      port: portOf(url),
      path: url.pathname,
      headers: { host: url.host },
      signal,
      // An agent, even none of its own, would make another connection.
      ...(socket === null ? { agent: false } : { createConnection: () => socket }),
    });
    request.once('error', reject);
    request.once('response', (response: IncomingMessage) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.once('error', reject);
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    request.end();
  });
}

function fingerprintIn(file: string): string {
  const found = certificatesIn(readPem(file).toString('latin1'));
  if (found.ok) return found.value[0].fingerprint256;
  throw new CliFailure('failure', `the agent cannot be told from others: ${file}: ${found.error}`);
}

function readPem(file: string): Buffer {
  let bytes: Buffer | null;
  try {
    bytes = readSmallFile(file, MAX_PEM_BYTES);
  } catch (error) {
    throw new CliFailure('failure', `the agent cannot be asked over HTTPS: ${describeError(error)}`);
  }
  if (bytes !== null) return bytes;
  throw new CliFailure('failure', `${file} is not a regular file of at most ${MAX_PEM_BYTES} bytes`);
}

function strangerText(origin: string, file: string): string {
  return (
    `another server than the agent answers at ${origin}: its certificate is not the first one in ${file} ` +
    '("api.tls.certificate"). It was asked nothing. If that file was renewed, the log of the agent says why it still ' +
    'shows another one'
  );
}

/** Why there is no answer, and what to do about it. */
function failureText(endpoint: SecureEndpoint, error: unknown): string {
  const { origin } = endpoint.url;
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  const reason = reasonOf(error);
  if (/^ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)$/.test(code)) {
    const own = '; if "api.tls" is new in the bootstrap file, the agent knows of it once it is started again';
    return `what answers at ${origin} does not speak TLS (${reason})${endpoint.kind === 'own' ? own : ''}`;
  }
  if (/ALERT|ECONNRESET|EPIPE|EPROTO/.test(code)) return `${origin} broke off: ${reason}; ${clientText(endpoint)}`;
  if (endpoint.kind === 'other' && /^(?!ERR_SSL).*(CERT|UNABLE_TO|SIGNATURE)/.test(code)) {
    return `the server at ${origin} is not trusted: ${reason}; --api-ca names the authorities to trust`;
  }
  return `no agent answers at ${origin}: ${reason}`;
}

function clientText({ kind, client }: SecureEndpoint): string {
  if (client !== null) {
    const rule =
      'signed by an authority in its "api.tls.clientCa", valid, and for clients (extendedKeyUsage clientAuth)';
    return `if that is for the client certificate in ${client.certificate}: it must be ${rule}`;
  }
  const names = kind === 'own' ? '"api.tls.clientCertificate" and "clientKey"' : '--api-certificate and --api-key';
  return `if it wants a client certificate, ${names} name one`;
}

/** OpenSSL says it in one word, and Node puts addresses and line numbers around it. */
function reasonOf(error: unknown): string {
  if (error instanceof Error && 'reason' in error && typeof error.reason === 'string') return error.reason;
  return describeError(error);
}

function hostOf(url: URL): string {
  return url.hostname.replace(/^\[(.*)\]$/, '$1');
}

function portOf(url: URL): number {
  if (url.port !== '') return Number(url.port);
  return url.protocol === 'https:' ? 443 : 80;
}
