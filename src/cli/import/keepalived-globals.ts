import type { ImportReport } from './import-report.ts';
import type { Statement } from './statement.ts';
import { blockOf, keywordOf, lastOf } from './statement.ts';

/** What global_defs says that concerns LVS and has no place. */
const EXPLANATIONS = new Map([
  ['lvs_flush', 'nothing is flushed at the start: what is there is adopted'],
  ['lvs_flush_on_stop', 'run the agent with --flush'],
  ['checker_priority', 'give the process its priority in its systemd unit'],
  ['checker_rt_priority', 'give the process its priority in its systemd unit'],
]);

const KNOWN = ['lvs_timeouts', 'lvs_sync_daemon'];

/** Only what is about LVS is worth a line: most of global_defs is about mail, SNMP and VRRP. */
const ABOUT_LVS = /^(lvs_|checker_)/;

/** @returns the settings for all agents, null if there are none */
export function agentSettings(globals: readonly Statement[], report: ImportReport): object | null {
  const statements = globals.flatMap(blockOf);
  const aboutLvs = statements.filter((statement) => ABOUT_LVS.test(keywordOf(statement)));
  report.unknownIn(aboutLvs, new Set(KNOWN), EXPLANATIONS);
  const kernel = { ...timeouts(lastOf(statements, 'lvs_timeouts')), ...sync(statements, report) };
  return Object.keys(kernel).length === 0 ? null : { kernel };
}

/** "lvs_timeouts tcp 900 tcpfin 120 udp 300", each of them optional. */
function timeouts(statement: Statement | undefined): object {
  if (statement === undefined) return {};
  const named = optionsOf(statement.words.slice(1));
  const given = ['tcp', 'tcpfin', 'udp'].flatMap((name) => {
    const seconds = named.get(name);
    return seconds === undefined ? [] : [[name, `${seconds}s`] as const];
  });
  return { timeouts: Object.fromEntries(given) };
}

/** "lvs_sync_daemon INTERFACE [VRRP_INSTANCE] [id 3] [maxlen 1472] [port 8848] [ttl 1] [group 224.0.0.81]". */
function sync(statements: readonly Statement[], report: ImportReport): object {
  const statement = lastOf(statements, 'lvs_sync_daemon');
  if (statement === undefined) return {};
  const [, name = '', ...rest] = statement.words;
  const named = optionsOf(rest);
  const numbers = ['id', 'maxlen', 'port', 'ttl'].flatMap((option) => {
    const value = named.get(option);
    return value === undefined ? [] : [[option, Number(value)] as const];
  });
  const group = named.get('group');
  const daemon = { interface: name, ...Object.fromEntries(numbers), ...(group === undefined ? {} : { group }) };
  report.changed(statement, 'there is no VRRP to say who is master: every director sends and takes connections');
  return { sync: { master: daemon, backup: daemon } };
}

/** The word behind each word; a name that stands alone is a key nobody asks for. */
function optionsOf(words: readonly string[]): ReadonlyMap<string, string> {
  return new Map(words.slice(0, -1).map((word, index) => [word, words[index + 1] ?? '']));
}
