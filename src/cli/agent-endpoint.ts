import { parseListen, urlOf } from '../api/listen.ts';
import type { Bootstrap } from '../model/bootstrap.ts';
import { CliFailure } from './io.ts';

/** The options by which a command may ask another agent than that of the bootstrap file. */
export interface ApiOptions {
  readonly api?: URL;
  readonly apiCa?: string;
  readonly apiCertificate?: string;
  readonly apiKey?: string;
}

/** PEM files that the agent may know us by. */
export interface ClientFiles {
  readonly certificate: string;
  readonly key: string;
}

/** Where an agent answers, and how we know that it is the one. Its files are read when it is asked. */
export type AgentEndpoint =
  | { readonly kind: 'plain'; readonly url: URL }
  /**
   * The agent of the bootstrap file: it shows exactly the first certificate of that file, whoever has signed it and
   * whatever name is in it. A name proves nothing at an address of our own, where whoever is first may listen.
   */
  | {
      readonly kind: 'own';
      readonly url: URL;
      readonly certificate: string;
      readonly client: ClientFiles | null;
      readonly wantsClient: boolean;
    }
  /** Any other: its certificate is signed by these authorities (null = the system's), and carries the host of the URL. */
  | { readonly kind: 'other'; readonly url: URL; readonly ca: string | null; readonly client: ClientFiles | null };

/** null = the API of that agent is off. */
export function ownEndpoint({ listen, tls }: Bootstrap['api']): AgentEndpoint | null {
  if (listen === null) return null;
  const address = parseListen(listen);
  if (tls === undefined) return { kind: 'plain', url: new URL(urlOf(address)) };
  const { certificate, clientCertificate, clientKey, clientCa } = tls;
  const url = new URL(urlOf(address, 'https'));
  const client = clientFiles(clientCertificate, clientKey);
  return { kind: 'own', url, certificate, client, wantsClient: clientCa !== undefined };
}

/**
 * The agent that `--api` names; null = none does.
 * @throws CliFailure when the options do not go together
 */
export function namedEndpoint({ api, apiCa, apiCertificate, apiKey }: ApiOptions): AgentEndpoint | null {
  const tls = [apiCa, apiCertificate, apiKey].some((file) => file !== undefined);
  if (tls && api?.protocol !== 'https:') {
    throw new CliFailure('usage', '--api-ca, --api-certificate and --api-key go with --api https://…');
  }
  if ((apiCertificate === undefined) !== (apiKey === undefined)) {
    throw new CliFailure('usage', '--api-certificate and --api-key go together');
  }
  if (api === undefined) return null;
  if (api.protocol === 'http:') return { kind: 'plain', url: api };
  return { kind: 'other', url: api, ca: apiCa ?? null, client: clientFiles(apiCertificate, apiKey) };
}

function clientFiles(certificate: string | undefined, key: string | undefined): ClientFiles | null {
  return certificate === undefined || key === undefined ? null : { certificate, key };
}
