import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { TABLE_NAME } from './names.ts';
import { ruleText } from './statement-text.ts';

/** What a table holds, with the rules in our spelling. */
export interface Listing {
  readonly chains: ReadonlyMap<string, ListedChain>;
  /** Name -> packets. */
  readonly counters: ReadonlyMap<string, bigint>;
  readonly sets: ReadonlySet<string>;
}

export interface ListedChain {
  /** As in `Chain` of the layout. */
  readonly hook: string | null;
  readonly rules: readonly string[];
}

type Fields = Readonly<Record<string, unknown>>;

/**
 * Reads what `nft --json --terse --numeric-protocol list table inet vipkeeper` prints (libnftables-json(5)); objects of
 * another table are passed over.
 */
export function parseListing(text: string, table: string = TABLE_NAME): Result<Listing, string> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (error) {
    return err(error instanceof Error ? error.message : 'not JSON');
  }
  const objects = fieldsOf(document)['nftables'];
  if (!Array.isArray(objects)) return err('it has no list "nftables"');
  const chains = new Map<string, { hook: string | null; rules: string[] }>();
  const counters = new Map<string, bigint>();
  const sets = new Set<string>();
  for (const object of objects as readonly unknown[]) {
    const [kind = '', value] = Object.entries(fieldsOf(object))[0] ?? [];
    const fields = fieldsOf(value);
    if (fields['table'] !== table) continue;
    const name = String(fields['name']);
    switch (kind) {
      case 'chain':
        chains.set(name, { hook: hookOf(fields), rules: [] });
        break;
      case 'rule': {
        const { expr, comment } = fields;
        const chain = chains.get(String(fields['chain']));
        if (chain === undefined || !Array.isArray(expr)) return err('a rule without its chain, or without statements');
        chain.rules.push(ruleText(expr, typeof comment === 'string' ? comment : null));
        break;
      }
      case 'counter':
        counters.set(name, countOf(fields['packets']));
        break;
      case 'set':
      case 'map':
        sets.add(name);
        break;
      default:
        break;
    }
  }
  return ok({ chains, counters, sets });
}

function hookOf({ type, hook, prio, policy }: Fields): string | null {
  if (typeof hook !== 'string') return null;
  return `type ${String(type)} hook ${hook} priority ${String(prio)}; policy ${String(policy)};`;
}

function countOf(value: unknown): bigint {
  return typeof value === 'number' && Number.isInteger(value) ? BigInt(value) : 0n;
}

function fieldsOf(value: unknown): Fields {
  return typeof value === 'object' && value !== null ? (value as Fields) : {};
}
