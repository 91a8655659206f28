import Type from 'typebox';
import type { Static } from 'typebox';
import { choice, durationWithin, hostPort, integer, name, nestedObject, secret, zookeeperServers } from './fields.ts';
import { HOST_PORT, isHostPort } from './host-port.ts';

const path = (description: string) =>
  Type.String({ pattern: '^/.+', maxLength: 4_096, allowed: 'an absolute path', description });

const etcdEndpoint = (description: string) =>
  Type.Refine(
    Type.String({
      pattern: `^(https?://)?${HOST_PORT}$`,
      allowed: 'HOST:PORT, http://HOST:PORT or https://HOST:PORT',
      description,
    }),
    (value) => isHostPort(value.replace(/^https?:\/\//, '')),
    () => 'must be an endpoint',
  );

const Tls = nestedObject(
  {
    ca: Type.Optional(path("PEM file with the authorities that we trust; absent = the system's.")),
    certificate: Type.Optional(path('PEM file with our certificate.')),
    key: Type.Optional(path('PEM file with its key.')),
    serverName: Type.Optional(
      Type.String({
        maxLength: 253,
        allowed: 'a host name',
        description: "Name to expect; absent = the member's host.",
      }),
    ),
  },
  { description: 'TLS to the store; absent = plain.' },
);

const ApiTls = nestedObject(
  {
    certificate: path('PEM file with our certificate, and behind it those that lead to its authority.'),
    key: path('PEM file with its key.'),
    clientCa: Type.Optional(
      path('PEM file with authorities: a client without a certificate of theirs is refused; absent = nobody is.'),
    ),
    clientCertificate: Type.Optional(
      path('PEM file with the certificate that the command line of this machine shows, where there is `clientCa`.'),
    ),
    clientKey: Type.Optional(path('PEM file with its key.')),
  },
  {
    description:
      'HTTPS, and nothing else, on `listen`; absent = HTTP. Files that are replaced are used from the next connection on.',
  },
);
export type ApiTls = Static<typeof ApiTls>;

/** Writing is another right than reading: the daemon itself never uses these. */
const operatorAuth = Type.Optional(
  secret({ description: 'Credentials "user:password" for writes by operators; absent = the API is read-only.' }),
);

export const ZookeeperStore = nestedObject({
  operatorAuth,
  zookeeper: nestedObject(
    {
      servers: zookeeperServers({ description: 'Members of the ensemble.' }),
      sessionTimeout: durationWithin('1s', '10m', { default: '10s', description: 'Session time-out that we ask for.' }),
      auth: Type.Optional(secret({ description: 'Digest credentials "user:password".' })),
      tls: Type.Optional(Tls),
    },
    { description: 'A ZooKeeper ensemble.' },
  ),
});

export const EtcdStore = nestedObject({
  operatorAuth,
  etcd: nestedObject(
    {
      endpoints: Type.Array(etcdEndpoint('One member.'), {
        minItems: 1,
        maxItems: 15,
        description: 'Members of the cluster.',
        allowed: 'a list of 1 to 15 endpoints',
      }),
      leaseTtl: durationWithin('1s', '10m', { default: '10s', description: 'Lease time of what the agent publishes.' }),
      auth: Type.Optional(secret({ description: 'Credentials "user:password".' })),
      tls: Type.Optional(Tls),
    },
    { description: 'An etcd cluster.' },
  ),
});

export const DirectoryStore = nestedObject({
  operatorAuth,
  directory: nestedObject(
    { path: path('The directory with the JSON files.') },
    { description: 'A directory of JSON files: a single box needs no ensemble.' },
  ),
});

/** The only local configuration: where the store is, and what must be known before it can be read. */
export const Bootstrap = nestedObject({
  agent: Type.Optional(name({ description: 'Name of this agent; absent = the host name up to its first dot.' })),
  store: Type.Union([ZookeeperStore, EtcdStore, DirectoryStore], {
    description: 'The store to live by.',
    allowed: '{ "zookeeper": … }, { "etcd": … } or { "directory": … }',
  }),
  root: Type.String({
    pattern: '^(/[A-Za-z0-9][A-Za-z0-9._-]*)+$',
    maxLength: 200,
    default: '/vipkeeper',
    allowed: 'an absolute path of names, such as "/vipkeeper"',
    description: 'Where the records lie in the store.',
  }),
  stateDir: Type.String({
    pattern: '^/.+',
    maxLength: 4_096,
    default: '/var/lib/vipkeeper',
    allowed: 'an absolute path',
    description: 'Directory of the journal, the last-known-good file and the health file; one agent each.',
  }),
  api: nestedObject(
    {
      listen: Type.Union([hostPort({ description: 'Address and port.' }), Type.Null()], {
        default: '127.0.0.1:8370',
        description: 'Where the HTTP API listens; null = nowhere.',
        allowed: 'HOST:PORT, [IPV6]:PORT or null',
      }),
      tls: Type.Optional(ApiTls),
    },
    { default: {}, description: 'The HTTP API.' },
  ),
  log: nestedObject(
    {
      level: choice(['debug', 'info', 'warn', 'error'], {
        default: 'info',
        description: 'Least level that is logged.',
      }),
    },
    { default: {}, description: 'Logs go to standard output, one JSON object a line.' },
  ),
  checkWorkers: integer(1, 16, { default: 1, description: 'Threads that run health checks.' }),
});
export type Bootstrap = Static<typeof Bootstrap>;
