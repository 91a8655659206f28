/** A host of the topology: a network namespace of its own. */
export interface NodeSpec {
  /** Addresses on lo besides 127.0.0.1 and ::1, with prefix length. */
  readonly addresses?: readonly string[];
  /** As `ip route add` takes them: `default via 10.0.0.1`. */
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
 * The shell script that builds the topology. Few processes do it all, because starting one costs up to a tenth of a
 * second in a User-Mode Linux guest.
 */
export function setUpScript(spec: TopologySpec, prefix: string): string {
  check(spec);
  const segments = Object.entries(spec.segments);
  const lines = ['set -e'];
  lines.push(
    ...batch([
      ...namespacesOf(spec, prefix).map((namespace) => `netns add ${namespace}`),
      ...segments.flatMap(([segment, members]) => cables(prefix, segment, members)),
    ]),
  );
  for (const [segment, members] of segments) {
    if (needsSwitch(members)) lines.push(...inside(switchNamespace(prefix, segment), [], switchCommands(members)));
  }
  for (const [node, nodeSpec] of Object.entries(spec.nodes)) {
    const sysctls = { ...EVERY_NODE, ...(nodeSpec.router === true ? ROUTER : {}), ...nodeSpec.sysctls };
    lines.push(
      ...inside(nodeNamespace(prefix, node), sysctlLines(sysctls), nodeCommands(node, nodeSpec, spec.segments)),
    );
  }
  return `${lines.join('\n')}\n`;
}

/** `ip` commands, without the word `ip`, as one process. */
function batch(commands: readonly string[]): string[] {
  return [`ip -batch - <<'BATCH'`, ...commands, 'BATCH'];
}

function inside(namespace: string, shell: readonly string[], commands: readonly string[]): string[] {
  const [first = '', ...rest] = batch(commands);
  return [`nsenter --net=/run/netns/${namespace} sh -e <<'INSIDE'`, ...shell, `exec ${first}`, ...rest, 'INSIDE'];
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

function cables(prefix: string, segment: string, members: SegmentSpec): string[] {
  const nodes = Object.keys(members);
  const [first = '', second = ''] = nodes.map((node) => nodeNamespace(prefix, node));
  if (!needsSwitch(members)) {
    return [`link add name ${segment} netns ${first} type veth peer name ${segment} netns ${second}`];
  }
  const home = switchNamespace(prefix, segment);
  return nodes.map(
    (node) => `link add name ${segment} netns ${nodeNamespace(prefix, node)} type veth peer name ${node} netns ${home}`,
  );
}

function switchCommands(members: SegmentSpec): string[] {
  const ports = Object.keys(members).map((node) => `link set dev ${node} master switch up`);
  return ['link add name switch type bridge forward_delay 0', 'link set dev switch up', ...ports];
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

function nodeCommands(node: string, spec: NodeSpec, segments: TopologySpec['segments']): string[] {
  const commands = ['link set dev lo up', ...(spec.addresses ?? []).map((address) => addressCommand(address, 'lo'))];
  for (const [segment, members] of Object.entries(segments)) {
    const addresses = members[node];
    if (addresses === undefined) continue;
    commands.push(...[addresses].flat().map((address) => addressCommand(address, segment)));
    commands.push(`link set dev ${segment} up`);
  }
  return [...commands, ...(spec.routes ?? []).map((route) => `route add ${route}`)];
}

export function sysctlLines(sysctls: Readonly<Record<string, string | number>>): string[] {
  return Object.entries(sysctls).map(([name, value]) => `echo ${value} >/proc/sys/${name.replaceAll('.', '/')}`);
}

/** As `ip` takes it, without the word `ip`. */
export function addressCommand(address: string, device: string): string {
  // nodad: an IPv6 address can be used at once.
  return `address add ${address} dev ${device}${address.includes(':') ? ' nodad' : ''}`;
}
