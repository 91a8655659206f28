/**
 * The real servers and tools that tests and the demo use, as data: which Debian packages hold a part, and which
 * files tell that the machine has it already. A name without a slash is looked for on PATH and in the sbin folders.
 */
export interface PartSpec {
  readonly packages: readonly string[];
  readonly probes: readonly string[];
}

export const PARTS = {
  // The jar and a Java runtime: the package `zookeeper` itself would bring a web server and start a daemon.
  zookeeper: {
    packages: ['libzookeeper-java', 'libslf4j-java', 'libnetty-java', 'default-jre-headless'],
    probes: ['java', '/usr/share/java/zookeeper.jar', '/usr/share/java/slf4j-simple.jar'],
  },
  etcd: { packages: ['etcd-server'], probes: ['etcd'] },
  etcdctl: { packages: ['etcd-client'], probes: ['etcdctl'] },
  bird: { packages: ['bird2'], probes: ['bird', 'birdc'] },
  frr: { packages: ['frr'], probes: ['/usr/lib/frr/bgpd', 'vtysh'] },
  gobgp: { packages: ['gobgpd'], probes: ['gobgpd', 'gobgp'] },
  exabgp: { packages: ['exabgp'], probes: ['exabgp'] },
  ipvsadm: { packages: ['ipvsadm'], probes: ['ipvsadm'] },
  keepalived: { packages: ['keepalived'], probes: ['keepalived'] },
  uml: { packages: ['user-mode-linux'], probes: ['linux.uml', '/usr/lib/uml/modules'] },
  iproute2: { packages: ['iproute2'], probes: ['ip', 'ss', 'tc'] },
  nftables: { packages: ['nftables'], probes: ['nft'] },
  kmod: { packages: ['kmod'], probes: ['modprobe'] },
  curl: { packages: ['curl'], probes: ['curl'] },
  openssl: { packages: ['openssl'], probes: ['openssl'] },
  tcpdump: { packages: ['tcpdump'], probes: ['tcpdump'] },
  ping: { packages: ['iputils-ping'], probes: ['ping'] },
  python: { packages: ['python3-minimal'], probes: ['python3'] },
} as const satisfies Record<string, PartSpec>;

export type PartName = keyof typeof PARTS;

export function isPartName(name: string): name is PartName {
  return Object.hasOwn(PARTS, name);
}
