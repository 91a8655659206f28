import { readFileSync } from 'node:fs';
import { join } from 'node:path';

/*
 * What `nft --json --terse --numeric-protocol list table inet vipkeeper` (nftables 1.0.6 of Debian 12, Linux 6.18)
 * printed, one object of its list "nftables" a line.
 *
 *   listing.jsonl          after SERVICES_IN_CAPTURE of test/unit/ipvs/nftables-listing.test.ts had been applied
 *   listing-altered.jsonl  after somebody had then fed this to nft:
 *     insert rule inet vipkeeper svc/tcp/192.0.2.1/80 ip saddr 198.51.100.0/24 limit rate 10/second counter accept
 *     flush chain inet vipkeeper real/fwmark/ipv4/7/10.0.0.2/8080
 *     add rule inet vipkeeper real/fwmark/ipv4/7/10.0.0.2/8080 \
 *       counter name "real/fwmark/ipv4/7/10.0.0.2/8080" comment "weight 5"
 *     add rule inet vipkeeper real/fwmark/ipv4/7/10.0.0.2/8080 dnat ip to 10.9.9.9
 *     add chain inet vipkeeper theirs
 *     add rule inet vipkeeper theirs ct state established accept
 */
export function captured(name: 'listing' | 'listing-altered'): string {
  const lines = readFileSync(join(import.meta.dirname, `${name}.jsonl`), 'utf8')
    .trim()
    .split('\n');
  return `{"nftables": [${lines.join(', ')}]}`;
}
