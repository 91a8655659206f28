import { readFileSync } from 'node:fs';
import { hostname } from 'node:os';
import type { Result } from '../core/result.ts';
import { err, ok } from '../core/result.ts';
import { Bootstrap } from '../model/bootstrap.ts';
import type { ApiTls } from '../model/bootstrap.ts';
import { parseRecordJson } from '../model/json.ts';
import { NAME_RULE, isName } from '../model/names.ts';
import type { Problem } from '../model/problem.ts';
import { validatorOf } from '../model/validate.ts';

export interface LoadedBootstrap extends Bootstrap {
  /** Always set: the record's, or the host name up to its first dot. */
  readonly agent: string;
}

const validate = validatorOf(Bootstrap);

/**
 * Reads and validates the bootstrap file.
 * @returns what to live by, or every problem found, each naming the file and the field
 */
export function loadBootstrap(path: string, host = hostname()): Result<LoadedBootstrap, readonly Problem[]> {
  const problem = (field: string, found: string, allowed: string): Problem => {
    return { path, field, found, allowed, effect: 'ignored' };
  };
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (error) {
    const found = error instanceof Error ? error.message : String(error);
    return err([problem('', found, 'a readable file with the bootstrap settings (see bootstrap.example.json)')]);
  }
  if (bytes.length === 0) return err([problem('', 'an empty file', 'a JSON object with at least "store"')]);
  const json = parseRecordJson(bytes);
  if (!json.ok) return err([problem('', json.error.found, json.error.allowed)]);
  const stores = storesIn(json.value);
  if (stores.length > 1) return err([problem('store', stores.join(' and '), 'one store')]);
  const checked = validate(json.value);
  if (!checked.ok) return err(checked.error.map(({ field, found, allowed }) => problem(field, found, allowed)));
  const half = loneHalf(checked.value.api.tls);
  if (half !== null) return err([problem(half, 'nothing', '"clientCertificate" and "clientKey" together, or neither')]);
  const agent = checked.value.agent ?? host.split('.')[0] ?? '';
  if (!isName(agent)) return err([problem('agent', `the host name ${JSON.stringify(host)}`, NAME_RULE)]);
  return ok({ ...checked.value, agent });
}

/** For whoever started a command that cannot go on without the file. */
export function describeBootstrapProblems(path: string, problems: readonly Problem[]): string {
  const lines = problems.map(({ field, found, allowed }) => {
    return `  ${field === '' ? '' : `${field}: `}found ${found}, allowed ${allowed}`;
  });
  return [`the bootstrap file ${path} cannot be used:`, ...lines].join('\n');
}

/** Which stores a file names; with several, what the schema says of each is beside the point. */
function storesIn({ store }: Record<string, unknown>): readonly string[] {
  if (typeof store !== 'object' || store === null) return [];
  return ['zookeeper', 'etcd', 'directory'].filter((kind) => Object.hasOwn(store, kind));
}

/** The field that is missing beside its other half. */
function loneHalf(tls: ApiTls | undefined): string | null {
  if (tls === undefined || (tls.clientCertificate === undefined) === (tls.clientKey === undefined)) return null;
  return `api.tls.${tls.clientKey === undefined ? 'clientKey' : 'clientCertificate'}`;
}
