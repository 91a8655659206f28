/*
 * What rules of nf_tables do, found out by following them as a packet would, in the JSON of nft(8) and without a line
 * of the code under test.
 */

/** A rule that sends packets on by a map: from address, protocol and port, from a mark, from a turn or a hash. */
interface VerdictMap {
  readonly key: object;
  readonly data: { readonly set: readonly (readonly [unknown, Verdict])[] };
}

interface Verdict {
  readonly goto?: { readonly target: string };
}

interface Statement extends Verdict {
  readonly vmap?: VerdictMap;
  readonly match?: { readonly right: unknown };
  readonly dnat?: { readonly addr: string; readonly port?: number };
}

interface Listed {
  readonly chain?: { readonly name: string };
  readonly set?: { readonly name: string; readonly timeout?: number };
  readonly rule?: { readonly chain: string; readonly expr: readonly Statement[] };
}

export interface NftService {
  /** Seconds that a client stays with its real; null = it does not. */
  readonly timeout: number | null;
  /** Where connections go, "10.0.0.1:8080", and how many turns or shares each has of new ones. */
  readonly reals: ReadonlyMap<string, number>;
}

const OPTIONS: Readonly<Record<string, string>> = { 6: '-t', 17: '-u', 132: '--sctp-service' };

/**
 * @param json output of `nft --json --numeric-protocol list ruleset`
 * @returns services as ipvsadm names them: "-t 192.0.2.1:80", "-f 7 -6"
 */
export function nftServices(json: string): Map<string, NftService> {
  const { nftables } = JSON.parse(json) as { readonly nftables: readonly Listed[] };
  const chains = nftables.flatMap(({ chain }) => chain?.name ?? []);
  const rulesOf = (name: string) => nftables.flatMap(({ rule }) => (rule?.chain === name ? [rule.expr] : []));
  const timeouts = new Map(nftables.flatMap(({ set }) => (set === undefined ? [] : [[`@${set.name}`, set.timeout]])));
  const services = new Map<string, NftService>();
  for (const { vmap } of rulesOf('dispatch').flat()) {
    for (const [key, verdict] of vmap?.data.set ?? []) {
      const chain = verdict.goto?.target ?? '';
      const own = chains.filter((name) => name.startsWith(`${chain.replace('svc/', 'real/')}/`));
      const shares = new Map(own.map((name) => [name, 0]));
      let timeout: number | null = null;
      for (const rule of rulesOf(chain)) {
        const kept = rule.flatMap(({ match }) => (typeof match?.right === 'string' ? [match.right] : []));
        const [set] = kept;
        if (set !== undefined) timeout = timeouts.get(set) ?? null;
        else for (const [target, count] of sharesOf(rule)) shares.set(target, (shares.get(target) ?? 0) + count);
      }
      const reals = Array.from(shares, ([name, count]): [string, number] => [targetOf(rulesOf(name).flat()), count]);
      services.set(nameOf(key), { timeout, reals: new Map(reals) });
    }
  }
  return services;
}

function sharesOf(rule: readonly Statement[]): [string, number][] {
  return rule.flatMap((statement): [string, number][] => {
    const alone = statement.goto?.target;
    if (alone !== undefined) return [[alone, 1]];
    return (statement.vmap?.data.set ?? []).map(([turns, verdict]) => [verdict.goto?.target ?? '', widthOf(turns)]);
  });
}

function widthOf(turns: unknown): number {
  if (typeof turns === 'number') return 1;
  const {
    range: [first, last],
  } = turns as { readonly range: readonly [number, number] };
  return last - first + 1;
}

/** The element of a map that leads to a service. */
function nameOf(key: unknown): string {
  const { concat } = key as { readonly concat: readonly (string | number)[] };
  const [first = '', second = '', port = 0] = concat;
  if (first === 'ipv4' || first === 'ipv6') return `-f ${second}${first === 'ipv6' ? ' -6' : ''}`;
  return `${OPTIONS[second] ?? second} ${hostText(String(first))}:${port}`;
}

function targetOf(statements: readonly Statement[]): string {
  const [dnat] = statements.flatMap((each) => each.dnat ?? []);
  return dnat === undefined ? 'nowhere' : `${hostText(dnat.addr)}:${dnat.port ?? 0}`;
}

function hostText(address: string): string {
  return address.includes(':') ? `[${address}]` : address;
}
