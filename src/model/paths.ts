import { NAME_RULE, isName, nearestName } from './names.ts';
import { APPROVAL_NAME_PATTERN } from './records/drain.ts';

/** What a path under `config/` names. */
export type RecordPath =
  | { readonly kind: 'vip'; readonly name: string }
  | { readonly kind: 'service'; readonly name: string }
  | { readonly kind: 'real'; readonly service: string; readonly name: string }
  | { readonly kind: 'check'; readonly name: string }
  | { readonly kind: 'agent'; readonly name: string }
  | { readonly kind: 'drain'; readonly name: string }
  | { readonly kind: 'approval'; readonly name: string }
  /** A place where only folders belong: 'config', 'config/vips', 'config/services/web/reals'. */
  | { readonly kind: 'folder' }
  | { readonly kind: 'invalid'; readonly found: string; readonly allowed: string };

const KINDS = {
  vips: 'vip',
  services: 'service',
  checks: 'check',
  agents: 'agent',
  drains: 'drain',
  approvals: 'approval',
} as const;

const FOLDERS = Object.keys(KINDS) as readonly (keyof typeof KINDS)[];

/** Settings that every agent starts from. */
export const DEFAULT_AGENT = '_default';

const approvalName = new RegExp(APPROVAL_NAME_PATTERN);

const SERVICES = 'config/services/';
const REALS = '/reals/';

/** Nearly all records of a large store are reals, and their paths need not be taken apart wholly. */
function parseRealPath(path: string): RecordPath | null {
  const end = path.startsWith(SERVICES) ? path.indexOf(REALS, SERVICES.length) : -1;
  if (end === -1) return null;
  const service = path.slice(SERVICES.length, end);
  const name = path.slice(end + REALS.length);
  return isName(service) && isName(name) ? { kind: 'real', service, name } : null;
}

export function parsePath(path: string): RecordPath {
  const real = parseRealPath(path);
  if (real !== null) return real;
  const [root, folder, name, sub, subName, ...rest] = path.split('/');
  if (root !== 'config') return invalid(path, 'a path under config/');
  if (folder === undefined) return { kind: 'folder' };
  const known = FOLDERS.find((candidate) => candidate === folder);
  if (known === undefined) {
    const near = nearestName(folder, FOLDERS);
    const list = FOLDERS.map((candidate) => `config/${candidate}/`).join(', ');
    return invalid(`folder ${JSON.stringify(folder)}`, near === undefined ? list : `"${near}"? (known: ${list})`);
  }
  if (name === undefined) return { kind: 'folder' };
  const kind = KINDS[known];
  if (!isNameOf(kind, name)) return invalid(JSON.stringify(name), nameRule(kind));
  if (sub === undefined) return { kind, name };
  if (kind !== 'service' || sub !== 'reals' || rest.length > 0) {
    return invalid(JSON.stringify(path), 'config/services/SERVICE/reals/REAL; no other record has records below it');
  }
  if (subName === undefined) return { kind: 'folder' };
  if (!isName(subName)) return invalid(JSON.stringify(subName), NAME_RULE);
  return { kind: 'real', service: name, name: subName };
}

function isNameOf(kind: string, name: string): boolean {
  if (kind === 'approval') return approvalName.test(name);
  return isName(name) || (kind === 'agent' && name === DEFAULT_AGENT);
}

function nameRule(kind: string): string {
  if (kind === 'approval') return 'the 64 hexadecimal digits of a revision';
  return kind === 'agent' ? `${NAME_RULE}, or "${DEFAULT_AGENT}"` : NAME_RULE;
}

function invalid(found: string, allowed: string): RecordPath {
  return { kind: 'invalid', found, allowed };
}
