import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IpAddress } from '../../src/model/address.ts';
import { freePort } from './free-port.ts';
import { type Parts, requireParts } from './parts.ts';
import { LabProcess, runToEnd } from './process.ts';
import type { LabRoute, LabRouter, RouterOptions } from './router.ts';

const API_ADDRESS = '127.0.0.1';

/** GoBGP as a passive router; its API listens on 127.0.0.1. */
export class Gobgp implements LabRouter {
  readonly kind = 'gobgp';
  readonly address: IpAddress;
  readonly port: number;
  readonly asn: number;
  readonly #process: LabProcess;
  readonly #folder: string;
  readonly #parts: Parts;
  readonly #apiPort: number;

  private constructor(
    options: RouterOptions,
    port: number,
    apiPort: number,
    process: LabProcess,
    folder: string,
    parts: Parts,
  ) {
    this.address = options.address as IpAddress;
    this.port = port;
    this.asn = options.asn;
    this.#apiPort = apiPort;
    this.#process = process;
    this.#folder = folder;
    this.#parts = parts;
  }

  static async start(options: RouterOptions): Promise<Gobgp> {
    const parts = await requireParts(['gobgp']);
    const port = options.port ?? (await freePort(options.address));
    const apiPort = await freePort(API_ADDRESS);
    const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-gobgp-'));
    writeFileSync(join(folder, 'gobgp.toml'), configuration(options, port));
    const api = `${API_ADDRESS}:${apiPort}`;
    const args = ['-f', join(folder, 'gobgp.toml'), '--api-hosts', api, '--pprof-disable'];
    const process = await LabProcess.start(parts.binary('gobgpd'), args, { env: parts.env, name: 'gobgp' });
    const gobgp = new Gobgp(options, port, apiPort, process, folder, parts);
    await process.until('answers', async () => (await gobgp.command('neighbor', '-j')).includes(options.agentAddress));
    return gobgp;
  }

  command(...words: string[]): Promise<string> {
    const args = ['-u', API_ADDRESS, '-p', String(this.#apiPort), ...words];
    return runToEnd(this.#parts.binary('gobgp'), args, { env: this.#parts.env });
  }

  async routes(): Promise<ReadonlyMap<string, LabRoute>> {
    const found = new Map<string, LabRoute>();
    for (const family of ['ipv4', 'ipv6']) {
      const text = await this.command('global', 'rib', '-a', family, '-j');
      const table = JSON.parse(text.trim() === '' ? '{}' : text) as Record<string, readonly GobgpPath[]>;
      for (const [prefix, [path]] of Object.entries(table)) if (path !== undefined) found.set(prefix, routeOf(path));
    }
    return found;
  }

  log(): string {
    return this.#process.log();
  }

  freeze(): void {
    this.#process.signal('SIGSTOP');
  }

  thaw(): void {
    this.#process.signal('SIGCONT');
  }

  async stop(): Promise<void> {
    await this.#process.stop();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

interface GobgpLargeCommunity {
  readonly ASN: number;
  readonly LocalData1: number;
  readonly LocalData2: number;
}

interface GobgpAttribute {
  readonly type: number;
  readonly nexthop?: string;
  readonly metric?: number;
  readonly value?: number | GobgpLargeCommunity[];
  readonly communities?: readonly number[];
  readonly as_paths?: readonly { readonly asns: readonly number[] }[];
}

interface GobgpPath {
  readonly attrs: readonly GobgpAttribute[];
}

/** Attribute types of RFC 4271 section 5 and IANA's registry, as in the API's JSON. */
function routeOf(path: GobgpPath): LabRoute {
  const attribute = (type: number): GobgpAttribute | undefined => path.attrs.find((each) => each.type === type);
  const large = attribute(32)?.value;
  const localPref = attribute(5)?.value;
  return {
    nextHop: attribute(3)?.nexthop ?? attribute(14)?.nexthop ?? '',
    med: attribute(4)?.metric ?? null,
    localPref: typeof localPref === 'number' ? localPref : null,
    communities: (attribute(8)?.communities ?? []).map((each) => `${each >>> 16}:${each & 0xffff}`),
    largeCommunities: Array.isArray(large)
      ? large.map((each) => `${each.ASN}:${each.LocalData1}:${each.LocalData2}`)
      : [],
    asPath: (attribute(2)?.as_paths ?? []).flatMap((segment) => segment.asns),
  };
}

function configuration(options: RouterOptions, port: number): string {
  const { address, asn, agentAddress, agentAsn, holdTimeS = 9 } = options;
  const key = options.password === undefined ? '' : `auth-password = "${options.password}"`;
  const hops =
    options.ttlSecurity === true
      ? '[neighbors.ttl-security.config]\nenabled = true\nttl-min = 255'
      : '[neighbors.ebgp-multihop.config]\nenabled = true\nmultihop-ttl = 255';
  const family = (name: string): string => `[[neighbors.afi-safis]]
[neighbors.afi-safis.config]
afi-safi-name = "${name}"
[neighbors.afi-safis.mp-graceful-restart.config]
enabled = true
`;
  return `[global.config]
as = ${asn}
router-id = "10.0.0.13"
port = ${port}
local-address-list = ["${address}"]
[[neighbors]]
[neighbors.config]
neighbor-address = "${agentAddress}"
peer-as = ${agentAsn}
${key}
[neighbors.transport.config]
passive-mode = true
local-address = "${address}"
${hops}
[neighbors.timers.config]
hold-time = ${holdTimeS}
keepalive-interval = ${Math.max(1, Math.floor(holdTimeS / 3))}
idle-hold-time-after-reset = 1
[neighbors.graceful-restart.config]
enabled = true
${family('ipv4-unicast')}${family('ipv6-unicast')}`;
}
