import { parseAddress } from '../../model/address.ts';
import type { ImportReport } from './import-report.ts';
import type { Statement } from './statement.ts';

/** A check record, as far as the clone's checks fill one. */
export interface GoCloneCheck {
  readonly type: 'tcp' | 'http' | 'https' | 'zookeeper';
  readonly port?: number;
  readonly interval: string;
  readonly timeout: string;
  readonly path?: string;
  readonly host?: string;
  readonly status?: readonly string[];
  readonly verify?: boolean;
  readonly servers?: readonly string[];
}

interface CheckedReal {
  readonly address: string;
  readonly port: number | undefined;
  readonly timeoutSeconds: number;
}

/**
 * "check tcp", "check http URL", "check https URL", "check zk HOST PATH". The clone asked whatever host the URL named; a
 * check of ours asks the real itself and sends the URL's host along.
 * @returns the check record, null if nothing here stands for it
 */
export function goCloneCheck(statement: Statement, real: CheckedReal, report: ImportReport): GoCloneCheck | null {
  const [, type = '', target = '', path] = statement.words;
  const timing = { interval: `${real.timeoutSeconds}s`, timeout: `${real.timeoutSeconds}s` };
  if (type === 'tcp') return { type, ...timing };
  if (type === 'zk') {
    if (path === undefined) {
      report.leftOut(statement, 'it names no znode: without a check the real counts as up');
      return null;
    }
    report.changed(statement, 'an ensemble that cannot be asked is no dead real any more; name its other members, too');
    return { type: 'zookeeper', ...timing, servers: [target], path: sharedPath(path, real.address) };
  }
  if (type !== 'http' && type !== 'https') {
    report.leftOut(statement, 'there is no check of that kind: without another one the real counts as up');
    return null;
  }
  if (!URL.canParse(target)) {
    report.leftOut(statement, 'it is no URL: without a check the real counts as up');
    return null;
  }
  const url = new URL(target);
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? (type === 'https' ? 443 : 80) : Number(url.port);
  if (host !== real.address) {
    report.changed(statement, `the real itself is asked, at port ${port}, for "${url.host}"`);
  }
  return {
    type,
    ...(port === real.port ? {} : { port }),
    ...timing,
    path: `${url.pathname}${url.search}`,
    ...(host === real.address ? {} : { host: url.host }),
    status: ['200'],
    ...(type === 'https' ? { verify: true } : {}),
  };
}

/** The path with a placeholder for the real's address, so that reals share a check. It stays the same path for this one. */
function sharedPath(path: string, text: string): string {
  const address = parseAddress(text);
  if (address === undefined) return path;
  return path.replace(new RegExp(`(?<![\\w.:])${address.replaceAll('.', '\\.')}(?![\\w.])`, 'g'), '{address}');
}
