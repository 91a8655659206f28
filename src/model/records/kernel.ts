import Type from 'typebox';
import type { Static, TSchema } from 'typebox';
import { address, choice, duration, flag, integer, nestedObject, port } from '../fields.ts';
import { IPVS_SYSCTL_NAMES, IPVS_SYSCTLS } from '../ipvs-sysctls.ts';
import type { IpvsSysctl } from '../ipvs-sysctls.ts';
import { INTERFACE_PATTERN, INTERFACE_RULE } from './vip.ts';

export const SyncDaemonRecord = nestedObject({
  interface: Type.String({
    pattern: INTERFACE_PATTERN,
    allowed: INTERFACE_RULE,
    description: 'The interface that the messages are sent or received on.',
  }),
  id: integer(0, 255, { default: 0, description: 'Sync id: directors that share connections use the same.' }),
  group: address({ default: '224.0.0.81', description: 'Multicast group, IPv4 or IPv6.' }),
  port: port({ default: 8848, description: 'UDP port.' }),
  ttl: integer(1, 255, { default: 1, description: 'How many hops the messages go.' }),
  maxlen: Type.Optional(
    integer(100, 65_535, { description: 'Bytes of a message; absent = what fits the MTU of the interface.' }),
  ),
});
export type SyncDaemonRecord = Static<typeof SyncDaemonRecord>;

const syncDaemon = (what: string) =>
  Type.Union([SyncDaemonRecord, Type.Null()], {
    default: null,
    description: `${what}; null = no business of ours.`,
    allowed: 'an object with at least "interface", or null',
  });

const timeout = (what: string) => Type.Optional(duration({ description: `${what}: whole seconds, 1s to 20d.` }));

function sysctlSchema(sysctl: IpvsSysctl): TSchema {
  const { value, recommended } = sysctl;
  const description =
    recommended === undefined ? sysctl.description : `${sysctl.description} Recommended: ${recommended}.`;
  return Type.Optional(
    'pattern' in value
      ? Type.String({ pattern: value.pattern, allowed: value.allowed, description })
      : integer(value.minimum, value.maximum, { description }),
  );
}

const sysctls: Record<string, TSchema> = Object.fromEntries(
  IPVS_SYSCTL_NAMES.map((name) => [name, sysctlSchema(IPVS_SYSCTLS[name])]),
);

export const KernelRecord = nestedObject(
  {
    restore: flag({
      default: false,
      description: 'Puts back everything below as it was found, and keeps it so, while this is true.',
    }),
    preset: choice(['none', 'recommended'], {
      default: 'none',
      description:
        'Sysctls to begin with: none, or the recommended ones of those below (expire_nodest_conn and ' +
        'expire_quiescent_template are 1). `sysctls` goes before it.',
    }),
    timeouts: nestedObject(
      {
        tcp: timeout('Idle time after which an established TCP connection is forgotten'),
        tcpfin: timeout('The same after a FIN was seen'),
        udp: timeout('The same for UDP, which is also how long a flow stays with its real'),
      },
      { default: {}, description: 'Timeouts of the connection table.' },
    ),
    sync: nestedObject(
      {
        master: syncDaemon('Sends connections to other directors'),
        backup: syncDaemon('Takes connections from other directors'),
      },
      { default: {}, description: 'The daemons of the kernel that synchronise connections; one, or both at once.' },
    ),
    sysctls: nestedObject(sysctls, { default: {}, description: 'Settings under net.ipv4.vs, by name.' }),
  },
  {
    default: {},
    description:
      'Settings of IPVS in the kernel. What is absent is not touched; what is taken away again gets the value that was ' +
      'found before.',
  },
);
export type KernelRecord = Static<typeof KernelRecord>;
