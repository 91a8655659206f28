/**
 * The real servers and tools that tests and the demo use, as data: which Debian packages hold a part, and which
 * files tell that the machine has it already. A name without a slash is looked for on PATH and in the sbin folders.
 */
export interface PartSpec {
  /** Fetched with everything they depend on that the machine lacks. */
  readonly packages: readonly string[];
  /** Fetched without their dependencies. */
  readonly alone?: readonly string[];
  readonly probes: readonly string[];
  /** Programs that need more than their file to run from the cache: name -> shell words; `$root` is the cache. */
  readonly wrappers?: Readonly<Record<string, string>>;
  /** Files that a package's own set-up would write: path -> text. */
  readonly files?: Readonly<Record<string, string>>;
}

/**
 * The class path of a ZooKeeper server, as the Debian packages name the files: put each through `Parts.path`. The
 * jar's own manifest names absolute paths, which lead past the cache.
 */
export const ZOOKEEPER_JARS = [
  '/usr/share/java/zookeeper.jar',
  '/usr/share/java/zookeeper-jute.jar',
  '/usr/share/java/slf4j-api.jar',
  '/usr/share/java/slf4j-simple.jar',
  '/usr/share/java/snappy-java.jar',
  '/usr/share/java/metrics-core.jar',
  '/usr/share/java/netty-buffer.jar',
  '/usr/share/java/netty-codec.jar',
  '/usr/share/java/netty-common.jar',
  '/usr/share/java/netty-handler.jar',
  '/usr/share/java/netty-resolver.jar',
  '/usr/share/java/netty-transport.jar',
  '/usr/share/java/netty-transport-native-epoll.jar',
  '/usr/share/java/netty-transport-native-unix-common.jar',
] as const;

export const PARTS = {
  // The jars that the server loads and a Java runtime. The packages' own dependencies are four times as large (a web
  // server for the admin page that we switch off), and the package `zookeeper` starts a daemon.
  zookeeper: {
    packages: ['default-jre-headless'],
    alone: ['libzookeeper-java', 'libslf4j-java', 'libsnappy-java', 'libdropwizard-metrics-java', 'libnetty-java'],
    probes: ['java', ...ZOOKEEPER_JARS],
  },
  // ZooKeeper's own shell, as its package starts it.
  zkcli: {
    packages: ['default-jre-headless'],
    alone: ['libzookeeper-java', 'libslf4j-java', 'libcommons-cli-java', 'libnetty-java'],
    probes: ['zkCli.sh', '/usr/share/java/commons-cli.jar'],
    wrappers: {
      'zkCli.sh':
        'java -cp "$root/usr/share/java/*:/usr/share/java/*" -Dorg.slf4j.simpleLogger.defaultLogLevel=error org.apache.zookeeper.ZooKeeperMain',
    },
  },
  kazoo: { packages: ['python3-minimal', 'python3-kazoo'], probes: ['/usr/lib/python3/dist-packages/kazoo'] },
  etcd: { packages: ['etcd-server'], probes: ['etcd'] },
  etcdctl: { packages: ['etcd-client'], probes: ['etcdctl'] },
  bird: { packages: ['bird2'], probes: ['bird', 'birdc'] },
  frr: {
    packages: ['frr'],
    probes: ['/usr/lib/frr/bgpd', 'vtysh'],
    wrappers: { vtysh: '"$root/usr/bin/vtysh" --config_dir "$root/etc/frr"' },
    // Without it vtysh asks PAM, which knows nothing of a daemon that was never installed.
    files: { '/etc/frr/vtysh.conf': 'username root nopassword\n' },
  },
  gobgp: { packages: ['gobgpd'], probes: ['gobgpd', 'gobgp'] },
  exabgp: {
    packages: ['exabgp'],
    probes: ['exabgp'],
    // Its link on PATH is made at installation, and its first line names a Python that the machine may lack.
    wrappers: { exabgp: '"$python" "$root/usr/sbin/python3-exabgp"' },
  },
  ipvsadm: { packages: ['ipvsadm'], probes: ['ipvsadm'] },
  keepalived: { packages: ['keepalived'], probes: ['keepalived'] },
  uml: { packages: ['user-mode-linux'], probes: ['linux.uml', '/usr/lib/uml/modules'] },
  // A machine in software, for measurements: with a kernel that has ip_vs, whose clock counts instructions.
  qemu: { packages: ['qemu-system-x86'], probes: ['qemu-system-x86_64', '/usr/lib/qemu/virtiofsd'] },
  'cloud-kernel': {
    packages: ['linux-image-cloud-amd64'],
    probes: ['/usr/share/doc/linux-image-cloud-amd64/copyright'],
  },
  busybox: { packages: ['busybox-static'], probes: ['busybox'] },
  iproute2: { packages: ['iproute2'], probes: ['ip', 'ss', 'tc'] },
  nftables: { packages: ['nftables'], probes: ['nft'] },
  iptables: { packages: ['iptables'], probes: ['iptables-legacy', 'ip6tables-legacy'] },
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
