import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { IpAddress } from '../../src/model/address.ts';
import { freePort } from './free-port.ts';
import { type Parts, requireParts } from './parts.ts';
import { LabProcess, runToEnd } from './process.ts';
import { type LabRoute, type LabRouter, type RouterOptions, splitCommunities, splitPath } from './router.ts';

/** FRR's bgpd, alone and without zebra, as a passive router. */
export class Frr implements LabRouter {
  readonly kind = 'frr';
  readonly address: IpAddress;
  readonly port: number;
  readonly asn: number;
  readonly #process: LabProcess;
  readonly #folder: string;
  readonly #parts: Parts;

  private constructor(options: RouterOptions, port: number, process: LabProcess, folder: string, parts: Parts) {
    this.address = options.address as IpAddress;
    this.port = port;
    this.asn = options.asn;
    this.#process = process;
    this.#folder = folder;
    this.#parts = parts;
  }

  static async start(options: RouterOptions): Promise<Frr> {
    const parts = await requireParts(['frr']);
    const port = options.port ?? (await freePort(options.address));
    const folder = mkdtempSync(join(tmpdir(), 'vipkeeper-frr-'));
    writeFileSync(join(folder, 'frr.conf'), configuration(options));
    // -Z: no zebra; -S: no change of user; -n: no kernel routes; -P 0: no telnet port.
    const args = ['-Z', '-S', '-n', '-f', join(folder, 'frr.conf'), '--vty_socket', folder];
    args.push('-i', join(folder, 'pid'), '-P', '0', '-l', options.address, '-p', String(port), '--log', 'stdout');
    const process = await LabProcess.start(parts.path('/usr/lib/frr/bgpd'), args, { env: parts.env, name: 'frr' });
    const frr = new Frr(options, port, process, folder, parts);
    await process.until('answers', async () => (await frr.command('show bgp summary json')).includes('{'));
    return frr;
  }

  command(text: string): Promise<string> {
    const args = ['--vty_socket', this.#folder, '-d', 'bgpd', '-c', text];
    return runToEnd(this.#parts.binary('vtysh'), args, { env: this.#parts.env });
  }

  async routes(): Promise<ReadonlyMap<string, LabRoute>> {
    const found = new Map<string, LabRoute>();
    for (const family of ['ipv4', 'ipv6']) {
      const text = await this.command(`show bgp ${family} unicast json detail`);
      const table = JSON.parse(text.slice(text.indexOf('{'))) as FrrTable;
      for (const [prefix, entries] of Object.entries(table.routes ?? {})) {
        // The first element describes the prefix, the others are its paths.
        const path = pathsOf(entries).find((each) => 'nexthops' in each);
        if (path !== undefined) found.set(prefix, routeOf(path));
      }
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

interface FrrPath {
  readonly nexthops?: readonly { readonly ip: string }[];
  readonly metric?: number;
  readonly med?: number;
  readonly locPrf?: number;
  readonly community?: { readonly string?: string };
  readonly largeCommunity?: { readonly string?: string };
  readonly aspath?: { readonly string?: string };
}

type FrrEntries = FrrPath[] | { readonly paths?: FrrPath[] };

interface FrrTable {
  readonly routes?: Record<string, FrrEntries>;
}

function pathsOf(entries: FrrEntries): readonly FrrPath[] {
  return Array.isArray(entries) ? entries : (entries.paths ?? []);
}

function routeOf(path: FrrPath): LabRoute {
  return {
    nextHop: path.nexthops?.[0]?.ip ?? '',
    med: path.metric ?? path.med ?? null,
    localPref: path.locPrf ?? null,
    communities: splitCommunities(path.community?.string),
    largeCommunities: splitCommunities(path.largeCommunity?.string),
    asPath: splitPath(path.aspath?.string),
  };
}

function configuration(options: RouterOptions): string {
  const { address, asn, agentAddress, agentAsn, holdTimeS = 9 } = options;
  const neighbour = `neighbor ${agentAddress}`;
  const key = options.password === undefined ? '' : ` ${neighbour} password ${options.password}\n`;
  const isEbgp = asn !== agentAsn;
  const hops =
    options.ttlSecurity === true
      ? ` ${neighbour} ttl-security hops 1\n`
      : isEbgp
        ? ` ${neighbour} ebgp-multihop 255\n`
        : '';
  const family = (name: string): string => ` address-family ${name} unicast
  ${neighbour} activate
  ${neighbour} soft-reconfiguration inbound
 exit-address-family
`;
  return `frr defaults datacenter
hostname frr-tor
router bgp ${asn}
 bgp router-id 10.0.0.12
 no bgp ebgp-requires-policy
 no bgp default ipv4-unicast
 bgp graceful-restart stalepath-time 30
 ${neighbour} remote-as ${agentAsn}
 ${neighbour} passive
 ${neighbour} update-source ${address}
${key}${hops} ${neighbour} disable-connected-check
 ${neighbour} timers ${Math.max(1, Math.floor(holdTimeS / 3))} ${holdTimeS}
 ${neighbour} graceful-restart-helper
${family('ipv4')}${family('ipv6')}`;
}
