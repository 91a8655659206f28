import type { Family } from '../../model/address.ts';

/** Reads a setting of this network namespace, by its name in /proc/sys; null = there is none. */
export type ReadSetting = (name: string) => Promise<string | null>;

/** Without these a packet whose address was rewritten is dropped: it is for another host. */
const SETTINGS: Readonly<Record<Family, string>> = {
  ipv4: 'net.ipv4.ip_forward',
  ipv6: 'net.ipv6.conf.all.forwarding',
};

/** What the host was not told to do for the services that there are. It is for the operator to tell it. */
export async function forwardingHindrances(families: ReadonlySet<Family>, read: ReadSetting): Promise<string[]> {
  const found: string[] = [];
  for (const family of families) {
    const name = SETTINGS[family];
    const value = (await read(name))?.trim();
    if (value !== '0') continue;
    found.push(`${name} is 0, so nothing reaches a real on another host: set it to 1 (nftables forwards by routing)`);
  }
  return found;
}
