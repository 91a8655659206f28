import type { Result } from '../../core/result.ts';
import { err, ok } from '../../core/result.ts';
import type { Family, IpAddress } from '../../model/address.ts';
import { familyOf, parseAddress } from '../../model/address.ts';
import { goCloneCheck } from './go-clone-check.ts';
import type { GoCloneCheck } from './go-clone-check.ts';
import { goCloneSettings } from './go-clone-settings.ts';
import { parseStatements } from './grammar.ts';
import { ImportReport } from './import-report.ts';
import type { Imported } from './import-report.ts';
import type { TextFile } from './keepalived-text.ts';
import { RecordNames } from './record-names.ts';
import type { Statement } from './statement.ts';
import { blockOf, keywordOf, lastOf, valueOf } from './statement.ts';

/*
 * The grammar of go_keepalived (cfgparser): words between blanks, no comments, no quotation marks. Its checks are fixed
 * where ours have fields: the "timeout" of a service is both interval and timeout, the first result that differs counts.
 */

const TOP_KEYWORDS = new Set(['general', 'service', 'testing']);
const SERVICE_KEYWORDS = new Set(['proto', 'scheduler', 'meta', 'quorum', 'timeout', 'hysteresis', 'real']);
const REAL_KEYWORDS = new Set(['check', 'meta', 'weight']);

/**
 * The records that do what a configuration of the Go clone does, and a note about everything else.
 * @returns an error only for text that cannot be read at all
 */
export function importGoClone(file: TextFile): Result<Imported, string> {
  const lines = file.text.split(/\r?\n/).map((text, index) => ({ file: file.path, line: index + 1, text }));
  const statements = parseStatements(lines, { comments: '', quotes: false });
  if (!statements.ok) return err(statements.error);
  const converter = new Converter();
  return ok(converter.convert(statements.value));
}

interface Place {
  readonly addresses: readonly IpAddress[];
  readonly match: object;
  readonly name: string;
}

class Converter {
  readonly #report = new ImportReport();
  readonly #records = new Map<string, object>();
  readonly #vipNames = new RecordNames();
  readonly #serviceNames = new RecordNames();
  readonly #checkNames = new RecordNames();
  readonly #vips = new Map<string, string>();
  readonly #checks = new Map<string, string>();

  convert(statements: readonly Statement[]): Imported {
    this.#report.unknownIn(statements, TOP_KEYWORDS, new Map());
    const general = statements.filter((statement) => keywordOf(statement) === 'general').flatMap(blockOf);
    const settings = goCloneSettings(general, lastOf(statements, 'testing') !== undefined, this.#report);
    if (settings !== null) this.#records.set('config/agents/_default', settings);
    for (const statement of statements) if (keywordOf(statement) === 'service') this.#service(statement);
    return { records: new Map([...this.#records].sort(([a], [b]) => (a < b ? -1 : 1))), notes: this.#report.notes() };
  }

  #service(statement: Statement): void {
    const block = blockOf(statement);
    this.#report.unknownIn(block, SERVICE_KEYWORDS, new Map());
    const place = this.#placeOf(statement, block);
    if (place === null) return;
    reportNoNumbers(block, this.#report);
    const timeout = wholeNumber(block, 'timeout') ?? 1;
    const scheduler = lastOf(block, 'scheduler')?.words[1] ?? 'wrr';
    const name = this.#serviceNames.claim(place.name);
    const reals = block.filter((each) => keywordOf(each) === 'real');
    this.#records.set(`config/services/${name}`, {
      vip: this.#vipOf(place.addresses),
      match: place.match,
      scheduler,
      health: { rise: 1, fall: 1, initial: 'unknown', whenDown: 'remove' },
      ...this.#quorum(block, statement),
    });
    const names = new RecordNames();
    for (const real of reals) this.#real(real, `config/services/${name}/reals`, names, timeout);
  }

  #placeOf(statement: Statement, block: readonly Statement[]): Place | null {
    const [, where = '', port = ''] = statement.words;
    const protocol = lastOf(block, 'proto')?.words[1] ?? '';
    if (protocol === 'fwmark') return this.#markPlace(statement, block, where);
    const address = parseAddress(where.replace(/^\[(.*)\]$/, '$1'));
    if (address === undefined || !/^[0-9]{1,5}$/.test(port) || (protocol !== 'tcp' && protocol !== 'udp')) {
      this.#report.leftOut(statement, 'a service needs an address, a port and "proto tcp", "udp" or "fwmark"');
      return null;
    }
    const match = { ports: [port], protocols: [protocol] };
    return { addresses: [address], match, name: `${address}-${protocol}-${port}` };
  }

  /** "service 7 0 { proto fwmark; meta ipv4 203.0.113.1 }": the meta line says what to announce. */
  #markPlace(statement: Statement, block: readonly Statement[], mark: string): Place | null {
    const meta = lastOf(block, 'meta');
    const [, word = '', text = ''] = meta?.words ?? [];
    const address = parseAddress(text.replace(/^\[(.*)\]$/, '$1'));
    const family: Family = word === 'ipv6' ? 'ipv6' : 'ipv4';
    if (address === undefined || familyOf(address) !== family || !/^[1-9][0-9]*$/.test(mark)) {
      this.#report.leftOut(statement, 'a firewall mark needs "meta ipv4 ADDRESS" or "meta ipv6 ADDRESS"');
      return null;
    }
    return { addresses: [address], match: { fwmark: Number(mark), families: [family] }, name: `mark-${mark}` };
  }

  #quorum(block: readonly Statement[], from: Statement): object {
    const quorum = wholeNumber(block, 'quorum') ?? 0;
    const hysteresis = lastOf(block, 'hysteresis');
    if (hysteresis !== undefined) this.#report.leftOut(hysteresis, 'it was read and never used');
    if (quorum > 0) return { quorum: { reals: quorum } };
    this.#report.changed(from, 'a quorum of 0 never withdrew the VIP: it is withdrawn now when no real is up');
    return {};
  }

  #real(statement: Statement, folder: string, names: RecordNames, timeoutSeconds: number): void {
    const [, where = '', portWord = ''] = statement.words;
    const block = blockOf(statement);
    this.#report.unknownIn(block, REAL_KEYWORDS, new Map());
    const address = where.replace(/^\[(.*)\]$/, '$1');
    const port = /^[1-9][0-9]{0,4}$/.test(portWord) ? Number(portWord) : undefined;
    if (port === undefined && !/^0?$/.test(portWord)) this.#report.leftOut(statement, `"${portWord}" is not a port`);
    reportNoNumbers(block, this.#report);
    const weight = wholeNumber(block, 'weight');
    const check = lastOf(block, 'check');
    const record = check === undefined ? null : goCloneCheck(check, { address, port, timeoutSeconds }, this.#report);
    if (check === undefined) this.#report.changed(statement, 'it has no check: it was never up, and is always up now');
    const isTunnel = /^(tunnel|tun)$/.test(lastOf(block, 'meta')?.words[1] ?? '');
    this.#records.set(`${folder}/${names.claim(port === undefined ? address : `${address}-${port}`)}`, {
      address,
      // In a tunnel packets keep the port that they came to.
      ...(port === undefined || isTunnel ? {} : { port }),
      ...(weight === undefined ? {} : { weight }),
      ...(isTunnel ? { forward: { tunnel: 'ipip' } } : {}),
      ...(record === null ? {} : { checks: [this.#checkOf(record)] }),
    });
  }

  #vipOf(addresses: readonly IpAddress[]): string {
    const known = this.#vips.get(addresses.join(' '));
    if (known !== undefined) return known;
    const vip = this.#vipNames.claim(addresses[0] ?? '');
    this.#vips.set(addresses.join(' '), vip);
    this.#records.set(`config/vips/${vip}`, { addresses });
    return vip;
  }

  #checkOf(record: GoCloneCheck): string {
    const content = JSON.stringify(record);
    const known = this.#checks.get(content);
    if (known !== undefined) return known;
    const name = this.#checkNames.claim(record.type);
    this.#checks.set(content, name);
    this.#records.set(`config/checks/${name}`, record);
    return name;
  }
}

const NUMBERS = new Set(['timeout', 'quorum', 'weight']);

function reportNoNumbers(block: readonly Statement[], report: ImportReport): void {
  for (const statement of block) {
    if (NUMBERS.has(keywordOf(statement)) && !isNumber(statement)) report.leftOut(statement, 'it takes a whole number');
  }
}

function wholeNumber(block: readonly Statement[], keyword: string): number | undefined {
  const statement = lastOf(block, keyword);
  return statement !== undefined && isNumber(statement) ? Number(valueOf(statement)) : undefined;
}

function isNumber(statement: Statement): boolean {
  return /^[0-9]{1,9}$/.test(valueOf(statement));
}
