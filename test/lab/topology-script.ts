/** A host of the topology: a network namespace of its own. */
export interface NodeSpec {
  /** Addresses on lo besides 127.0.0.1 and ::1, with prefix length. */
  readonly addresses?: readonly string[];
  /** As `ip route add` takes them: `default via 10.0.0.1`. IPv6 is told by its colons. */
  readonly routes?: readonly string[];
  /** `net.ipv4.vs.conntrack` -> value, after the settings that every node gets. */
  readonly sysctls?: Readonly<Record<string, string | number>>;
  /** Forwards packets between its segments. */
  readonly router?: boolean;
}

/**
 * A wire (two members) or a switch (more): node -> its addresses there, with prefix length. The interface is called
 * like the segment in every node.
 */
export type SegmentSpec = Readonly<Record<string, string | readonly string[]>>;

export interface TopologySpec {
  readonly nodes: Readonly<Record<string, NodeSpec>>;
  readonly segments: Readonly<Record<string, SegmentSpec>>;
}

/** IFNAMSIZ (linux/if.h) is 16 with the closing zero. */
const MAX_INTERFACE = 15;
const SAFE_WORD = /^[A-Za-z0-9][A-Za-z0-9._-]*$/;

/** The namespace that holds the switch of a segment. */
export function switchNamespace(prefix: string, segment: string): string {
  return `${prefix}-switch-${segment}`;
}

export function nodeNamespace(prefix: string, node: string): string {
  return `${prefix}-${node}`;
}

/** Every namespace that `setUpScript` makes. */
export function namespacesOf(spec: TopologySpec, prefix: string): string[] {
  const switches = Object.entries(spec.segments).filter(([, members]) => needsSwitch(members));
  return [
    ...Object.keys(spec.nodes).map((node) => nodeNamespace(prefix, node)),
    ...switches.map(([segment]) => switchNamespace(prefix, segment)),
  ];
}

function needsSwitch(members: SegmentSpec): boolean {
  return Object.keys(members).length > 2;
}

/**
 * The shell script that builds the topology. One script, because starting a process costs a tenth of a second in a
 * User-Mode Linux guest.
 */
export function setUpScript(spec: TopologySpec, prefix: string): string {
  check(spec);
  const lines = ['set -e', ...namespacesOf(spec, prefix).map((namespace) => `ip netns add ${namespace}`)];
  for (const [segment, members] of Object.entries(spec.segments)) lines.push(...segmentLines(prefix, segment, members));
  for (const [node, nodeSpec] of Object.entries(spec.nodes)) {
    const inside = nodeLines(node, nodeSpec, spec.segments);
    lines.push(`nsenter --net=/run/netns/${nodeNamespace(prefix, node)} sh -e <<'INSIDE'`, ...inside, 'INSIDE');
  }
  return `${lines.join('\n')}\n`;
}

function check(spec: TopologySpec): void {
  for (const [segment, members] of Object.entries(spec.segments)) {
    if (segment.length > MAX_INTERFACE) throw new Error(`segment ${segment}: longer than ${MAX_INTERFACE} characters`);
    if (Object.keys(members).length < 2) throw new Error(`segment ${segment}: needs two members`);
    for (const node of Object.keys(members)) {
      if (spec.nodes[node] === undefined) throw new Error(`segment ${segment}: no node is called ${node}`);
    }
  }
  for (const name of [...Object.keys(spec.nodes), ...Object.keys(spec.segments)]) {
    if (!SAFE_WORD.test(name)) throw new Error(`${name}: a name is letters, digits, dots, dashes and underscores`);
  }
  for (const name of Object.keys(spec.nodes)) {
    if (name.length > MAX_INTERFACE) throw new Error(`node ${name}: longer than ${MAX_INTERFACE} characters`);
  }
}

function segmentLines(prefix: string, segment: string, members: SegmentSpec): string[] {
  const nodes = Object.keys(members);
  const [first = '', second = ''] = nodes.map((node) => nodeNamespace(prefix, node));
  if (!needsSwitch(members)) {
    return [`ip link add name ${segment} netns ${first} type veth peer name ${segment} netns ${second}`];
  }
  const home = switchNamespace(prefix, segment);
  const ports = nodes.map(
    (node) =>
      `ip link add name ${segment} netns ${nodeNamespace(prefix, node)} type veth peer name ${node} netns ${home}`,
  );
  const inside = nodes.map((node) => `ip link set dev ${node} master switch up`);
  return [
    ...ports,
    `nsenter --net=/run/netns/${home} sh -e <<'INSIDE'`,
    'ip link add name switch type bridge forward_delay 0',
    'ip link set dev switch up',
    ...inside,
    'INSIDE',
  ];
}

/** No address detection delay, and no reverse path filter: replies of a director take another way than requests. */
const EVERY_NODE: Readonly<Record<string, string | number>> = {
  'net.ipv4.conf.all.rp_filter': 0,
  'net.ipv4.conf.default.rp_filter': 0,
  'net.ipv6.conf.all.accept_dad': 0,
  'net.ipv6.conf.default.accept_dad': 0,
  'net.ipv4.conf.all.send_redirects': 0,
  'net.ipv4.conf.default.send_redirects': 0,
};
const ROUTER = { 'net.ipv4.ip_forward': 1, 'net.ipv6.conf.all.forwarding': 1 };

function nodeLines(node: string, spec: NodeSpec, segments: TopologySpec['segments']): string[] {
  const lines = [
    ...sysctlLines({ ...EVERY_NODE, ...(spec.router === true ? ROUTER : {}), ...spec.sysctls }),
    'ip link set lo up',
    ...(spec.addresses ?? []).map((address) => addressLine(address, 'lo')),
  ];
  for (const [segment, members] of Object.entries(segments)) {
    const addresses = members[node];
    if (addresses === undefined) continue;
    lines.push(...[addresses].flat().map((address) => addressLine(address, segment)), `ip link set dev ${segment} up`);
  }
  return [...lines, ...(spec.routes ?? []).map(routeLine)];
}

export function sysctlLines(sysctls: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(sysctls).map(([name, value]) => `echo ${value} >/proc/sys/${name.replaceAll('.', '/')}`);
}

export function addressLine(address: string, device: string): string {
  // nodad: an IPv6 address can be used at once.
  return `ip address add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`;
}

export function routeLine(route: string): string {
  return `ip ${route.includes(':') ? '-6 ' : ''}route add ${route}`;
}
