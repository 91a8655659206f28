import { sharingOf } from './abilities.ts';
import type { KernelService } from '../dataplane.ts';
import { mapText } from './statement-text.ts';

/** A real that may get new connections: the chain that sends them there, and its part of them. */
export interface Share {
  readonly chain: string;
  /** Above 0. */
  readonly weight: number;
}

/**
 * Up to so many turns are written out one by one, mixed so that a heavy real does not get its turns in one burst; with
 * more, chance decides, and the rule has one range for each real.
 */
const MAX_TURNS = 128;
/** Numbers of nf_tables have 32 bits (nft_ng_inc_init, nft_jhash_init refuse more); half of it leaves room to round. */
const MAX_TOTAL = 0x7fff_ffff;
/** The same on every director, so that all send a client to the same real. */
const HASH_SEED = 1;
/** Bit 2 of the flags of `sh`: IP_VS_SVC_F_SCHED_SH_PORT (include/uapi/linux/ip_vs.h). */
const SH_PORT = 2;

/**
 * The rule that hands a new connection to one of the reals.
 * @param shares in the order of their keys, which decides who gets which turn
 * @returns null when there is no real for it
 */
export function sharingRule(
  { scheduler, schedulerFlags, match }: KernelService,
  shares: readonly Share[],
): string | null {
  const [first] = shares;
  if (first === undefined) return null;
  if (shares.length === 1) return `goto ${first.chain}`;
  const saddr = match.family === 'ipv4' ? 'ip saddr' : 'ip6 saddr';
  switch (sharingOf(scheduler)) {
    case 'equal':
      return byTurns(shares.map((share) => ({ ...share, weight: 1 })));
    case 'weighted':
    case null:
      return byTurns(reduced(shares));
    case 'heaviest': {
      const most = Math.max(...shares.map(({ weight }) => weight));
      return `goto ${shares.find(({ weight }) => weight === most)?.chain ?? first.chain}`;
    }
    case 'source': {
      const parts = reduced(shares);
      const key = (schedulerFlags & SH_PORT) === 0 ? saddr : `${saddr} . th sport`;
      return `jhash ${key} mod ${totalOf(parts)} seed ${HASH_SEED} vmap ${ranges(parts)}`;
    }
  }
}

function byTurns(shares: readonly Share[]): string {
  const total = totalOf(shares);
  if (total > Math.max(MAX_TURNS, shares.length)) return `numgen random mod ${total} vmap ${ranges(shares)}`;
  return `numgen inc mod ${total} vmap ${mapText(turns(shares).map((share, turn) => `${turn} : goto ${share.chain}`))}`;
}

/**
 * Each turn goes to whoever is furthest behind its part, so that turns are mixed as evenly as they can be.
 * @returns as many turns as the weights are together
 */
export function turns(shares: readonly Share[]): Share[] {
  const total = totalOf(shares);
  const credits = shares.map(() => 0);
  return Array.from({ length: total }, () => {
    let chosen = 0;
    for (const [index, { weight }] of shares.entries()) {
      credits[index] = (credits[index] ?? 0) + weight;
      if ((credits[index] ?? 0) > (credits[chosen] ?? 0)) chosen = index;
    }
    credits[chosen] = (credits[chosen] ?? 0) - total;
    return shares[chosen] ?? { chain: '', weight: 0 };
  });
}

function ranges(shares: readonly Share[]): string {
  let next = 0;
  return mapText(
    shares.map(({ chain, weight }) => {
      const first = next;
      next += weight;
      return `${weight === 1 ? first : `${first}-${next - 1}`} : goto ${chain}`;
    }),
  );
}

/** The same proportions in the smallest whole numbers; rounded where they would not fit, but never to nothing. */
function reduced(shares: readonly Share[]): Share[] {
  const divisor = shares.reduce((common, { weight }) => greatestCommonDivisor(common, weight), 0);
  const total = totalOf(shares) / divisor;
  const scale = total > MAX_TOTAL ? (MAX_TOTAL - shares.length) / total : 1;
  return shares.map(({ chain, weight }) => ({ chain, weight: Math.max(1, Math.floor((weight / divisor) * scale)) }));
}

function totalOf(shares: readonly Share[]): number {
  return shares.reduce((sum, { weight }) => sum + weight, 0);
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
