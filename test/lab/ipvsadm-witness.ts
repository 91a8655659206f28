/*
 * What ipvsadm says of the table, read without a line of the code under test: plain texts by name.
 */

export interface WitnessReal {
  /** What follows the address: "-m -w 1", "-i -w 1 --tun-type ipip". */
  words: string;
  /** Upper and lower threshold: "0 0". */
  thresholds: string;
}

export interface WitnessService {
  /** What follows the name: "-s wlc -p 360". */
  words: string;
  /** By address and port as ipvsadm prints them. */
  reals: Map<string, WitnessReal>;
}

/** Services by name: "-t 192.0.2.1:80", "-f 7 -6". */
export type WitnessTable = Map<string, WitnessService>;

const SAVED_SERVICE = /^-A ((?:-t|-u|--sctp-service) \S+|-f \S+(?: -6)?) (.*)$/;
const SAVED_REAL = /^-a ((?:-t|-u|--sctp-service) \S+|-f \S+(?: -6)?) -r (\S+) (.*)$/;

/**
 * @param saved output of `ipvsadm --save --numeric`
 * @param thresholds output of `ipvsadm --list --numeric --thresholds`
 */
export function witnessTable(saved: string, thresholds: string): WitnessTable {
  const table: WitnessTable = new Map();
  for (const line of saved.split('\n').filter((each) => each !== '')) {
    const [, name, words = ''] = SAVED_SERVICE.exec(line) ?? [];
    const [, owner = '', address = '', rest = ''] = SAVED_REAL.exec(line) ?? [];
    if (name !== undefined) table.set(name, { words: words.trim(), reals: new Map() });
    else if (owner === '') throw new Error(`not a line of ipvsadm --save: ${line}`);
    else table.get(owner)?.reals.set(address, { words: rest.trim(), thresholds: '0 0' });
  }
  let current: WitnessService | undefined;
  for (const line of thresholds.split('\n')) {
    const [, kind = '', name = '', ipv6 = ''] = /^(TCP|UDP|SCTP|FWM) +(\S+)( IPv6)?/.exec(line) ?? [];
    if (kind !== '') current = table.get(`${OPTIONS[kind] ?? ''} ${name}${ipv6 === '' ? '' : ' -6'}`);
    const [, address = '', upper = '', lower = ''] = /^ {2}-> (\S+) +(\d+) +(\d+) /.exec(line) ?? [];
    const real = current?.reals.get(address);
    if (real !== undefined) real.thresholds = `${upper} ${lower}`;
  }
  return table;
}

const OPTIONS: Readonly<Record<string, string>> = { TCP: '-t', UDP: '-u', SCTP: '--sctp-service', FWM: '-f' };

/**
 * The columns of numbers in a listing with `--stats`, `--rate` or `--persistent-conn` and `--exact`.
 * @returns by "TCP 192.0.2.1:80" for a service, where it has any, and "TCP 192.0.2.1:80 10.0.0.1:8080" for a real
 */
export function witnessColumns(listing: string): Map<string, readonly number[]> {
  const columns = new Map<string, readonly number[]>();
  let service = '';
  for (const line of listing.split('\n')) {
    const [, kind, name = '', rest = ''] = /^(TCP|UDP|SCTP|FWM) +(\S+)(.*)$/.exec(line) ?? [];
    const [, real = '', ofReal = ''] = /^ {2}-> (\S+:\d+) +(.*)$/.exec(line) ?? [];
    if (kind !== undefined) service = `${kind} ${name}`;
    else if (real === '' || service === '') continue;
    const numbers = ((kind === undefined ? ofReal : rest).match(/(?<=^|\s)\d+(?=\s|$)/g) ?? []).map(Number);
    if (numbers.length > 0) columns.set(kind === undefined ? `${service} ${real}` : service, numbers);
  }
  return columns;
}
