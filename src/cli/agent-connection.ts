import { request as sendRequest } from 'node:http';
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { connect } from 'node:tls';
import type { ConnectionOptions, TLSSocket } from 'node:tls';
import { readSmallFile } from '../agent/small-file.ts';
import { describeError } from '../core/errors.ts';
import type { Result } from '../core/result.ts';
import { certificatesIn, pemOf, privateKeyIn } from '../model/pem.ts';
import type { AgentEndpoint, ClientFiles } from './agent-endpoint.ts';
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
  try {
    const socket = endpoint.kind === 'plain' ? null : await knownServer(endpoint, signal);
    return await send(new URL(path, endpoint.url), socket, method, signal);
  } catch (error) {
    if (error instanceof CliFailure) throw error;
    // Whatever broke by it then: an answer that is under way breaks off like a connection.
    const late = `no whole answer came within ${timeoutMs / 1000} seconds`;
    throw new CliFailure('failure', signal.aborted ? absentText(endpoint, late) : failureText(endpoint, error));
  }
}

/** A connection to the server that is meant. */
async function knownServer(endpoint: SecureEndpoint, signal: AbortSignal): Promise<TLSSocket> {
  const options = connectionOptions(endpoint);
  const pinned = endpoint.kind === 'own' ? readAs(certificatesIn, endpoint.certificate)[0].fingerprint256 : null;
  const socket = await connected(options, signal);
  if (endpoint.kind !== 'own' || socket.getPeerX509Certificate()?.fingerprint256 === pinned) return socket;
  socket.destroy();
  throw new CliFailure('failure', strangerText(endpoint.url.origin, endpoint.certificate));
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
    ...(endpoint.kind === 'own' || endpoint.ca === null ? {} : { ca: pemOf(readAs(certificatesIn, endpoint.ca)) }),
    ...(client === null ? {} : credentials(client)),
  };
}

function credentials({ certificate, key }: ClientFiles): Pick<ConnectionOptions, 'cert' | 'key'> {
  const certificates = readAs(certificatesIn, certificate);
  const own = readAs(privateKeyIn, key);
  if (!certificates[0].checkPrivateKey(own))
    throw unusable(`${key}: not the key of the first certificate in ${certificate}`);
  return { cert: pemOf(certificates), key: own.export({ type: 'pkcs8', format: 'pem' }) };
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
      response.once('error', (cause) => reject(new Error('the answer broke off', { cause })));
      response.once('end', () => {
        resolve({ status: response.statusCode ?? 0, text: Buffer.concat(chunks).toString('utf8') });
      });
    });
    request.end();
  });
}

function readAs<T>(parse: (pem: string) => Result<T, string>, file: string): T {
  let bytes: Buffer | null;
  try {
    bytes = readSmallFile(file, MAX_PEM_BYTES);
  } catch (error) {
    throw unusable(describeError(error));
  }
  if (bytes === null) throw unusable(`${file}: not a regular file of at most ${MAX_PEM_BYTES} bytes`);
  const parsed = parse(bytes.toString('latin1'));
  if (parsed.ok) return parsed.value;
  throw unusable(`${file}: ${parsed.error}`);
}

function unusable(why: string): CliFailure {
  return new CliFailure('failure', `the agent cannot be asked over HTTPS: ${why}`);
}

function strangerText(origin: string, file: string): string {
  return (
    `another server than the agent answers at ${origin}: its certificate is not the first one in ${file} ` +
    '("api.tls.certificate"). It was asked nothing. If that file was renewed, the log of the agent says why it still ' +
    'shows another one'
  );
}

function absentText({ url }: AgentEndpoint, why: string): string {
  return `no agent answers at ${url.origin}: ${why}`;
}

/** Why there is no answer, and what to do about it. */
function failureText(endpoint: AgentEndpoint, error: unknown): string {
  if (endpoint.kind === 'plain') return absentText(endpoint, describeError(error));
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
  return absentText(endpoint, reason);
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
