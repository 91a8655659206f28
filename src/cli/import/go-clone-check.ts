import type { ImportReport } from './import-report.ts';
import type { Statement } from './statement.ts';

/** A check record, as far as the clone's checks fill one. */
export interface GoCloneCheck {
  readonly type: 'tcp' | 'http' | 'https';
  readonly port?: number;
  readonly interval: string;
  readonly timeout: string;
  readonly path?: string;
  readonly host?: string;
  readonly status?: readonly string[];
  readonly verify?: boolean;
}

interface CheckedReal {
  readonly address: string;
  readonly port: number | undefined;
  readonly timeoutSeconds: number;
}

/**
 * "check tcp", "check http URL", "check https URL". The clone asked whatever host the URL named; a check of ours asks
 * the real itself and sends the URL's host along.
 * @returns the check record, null if nothing here stands for it
 */
export function goCloneCheck(statement: Statement, real: CheckedReal, report: ImportReport): GoCloneCheck | null {
  const [, type = '', target = ''] = statement.words;
  const timing = { interval: `${real.timeoutSeconds}s`, timeout: `${real.timeoutSeconds}s` };
  if (type === 'tcp') return { type, ...timing };
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
