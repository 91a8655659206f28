import { isIP } from 'node:net';
import { checkServerIdentity, connect } from 'node:tls';
import type { FieldProblem } from '../../model/validate.ts';
import { checkType } from '../definition.ts';
import type { Dial, HttpDefinition } from '../http-probe.ts';
import { defineHttp, httpFields, httpProber, httpProblems } from '../http-probe.ts';
import type { TlsMaterial } from '../trust.ts';

const HTTPS_PORT = 443;

interface HttpsDefinition extends HttpDefinition, TlsMaterial {
  readonly sni: string | null;
}

export const httpsCheck = checkType({
  type: 'https',
  summary:
    "Makes a TLS connection to the real's own address, sends one HTTP/1.1 request and compares the status code. The " +
    'certificate is not verified unless the check asks for it, since reals often carry internal ones.',
  fields: (builders) => {
    const { Type, flag, secret } = builders;
    return {
      ...httpFields(builders),
      sni: Type.Optional(
        Type.String({
          pattern: '^[A-Za-z0-9]([A-Za-z0-9._-]{0,251}[A-Za-z0-9])?$',
          description: 'Server name of the TLS handshake. Default: "host", if that is a name and not an address.',
          allowed: 'a host name',
        }),
      ),
      verify: flag({
        default: false,
        description: 'Verify the certificate: its chain, its dates, and that it names "sni", "host" or the address.',
      }),
      ca: Type.Optional(
        secret({ description: 'Certificates (PEM) that "verify" trusts instead of the well-known authorities.' }),
      ),
      certificate: Type.Optional(secret({ description: 'Client certificate (PEM) to show to the real; with "key".' })),
      key: Type.Optional(secret({ description: 'Private key (PEM) of "certificate".' })),
    };
  },
  example: { type: 'https', path: '/healthz', host: 'www.example.org', interval: '2s', timeout: '1s' },
  problems: (record) => [...httpProblems(record), ...tlsProblems(record)],
  define: (record) => ({
    ...defineHttp(record),
    sni: record.sni ?? null,
    verify: record.verify,
    ca: record.ca ?? null,
    certificate: record.certificate ?? null,
    key: record.key ?? null,
  }),
  prober(definition) {
    const https = definition as HttpsDefinition;
    return httpProber(https, HTTPS_PORT, tlsDial(https), (socket) => socket.destroySoon());
  },
});

function tlsProblems(record: { verify: boolean; ca?: string; certificate?: string; key?: string }): FieldProblem[] {
  const problems: FieldProblem[] = [];
  if (record.ca !== undefined && !record.verify) {
    problems.push({ field: 'ca', found: '"verify": false', allowed: '"ca" only together with "verify": true' });
  }
  if ((record.certificate === undefined) !== (record.key === undefined)) {
    const field = record.key === undefined ? 'key' : 'certificate';
    problems.push({ field, found: 'nothing', allowed: '"certificate" and "key" together, or neither' });
  }
  return problems;
}

function tlsDial(definition: HttpsDefinition): Dial {
  const { verify } = definition;
  const hostName = definition.host?.replace(/:[0-9]+$/, '').replace(/^\[(.*)\]$/, '$1');
  const sni = definition.sni ?? (hostName !== undefined && isIP(hostName) === 0 ? hostName : undefined);
  return (endpoint, { trust }, attempt) => {
    const context = trust.contextFor(definition);
    if (!context.ok) {
      attempt.abandon(context.error);
      return undefined;
    }
    const name = sni ?? hostName ?? endpoint.address;
    const socket = connect({
      host: endpoint.address,
      port: endpoint.port,
      ...(sni === undefined ? {} : { servername: sni }),
      secureContext: context.value,
      rejectUnauthorized: verify,
      checkServerIdentity: (_host, certificate) => checkServerIdentity(name, certificate),
      ALPNProtocols: ['http/1.1'],
    });
    socket.once('connect', () => attempt.enter('during the TLS handshake'));
    socket.once('secureConnect', () => attempt.enter('waiting for the answer'));
    return socket;
  };
}
