import type { ImportReport } from './import-report.ts';
import type { Statement } from './statement.ts';
import { blockOf, keywordOf } from './statement.ts';

/** What global_defs says that concerns LVS and has no place yet. */
const EXPLANATIONS = new Map([
  ['lvs_flush', 'nothing is flushed at the start: what is there is adopted'],
  ['lvs_flush_on_stop', 'run the agent with --flush'],
  ['checker_priority', 'give the process its priority in its systemd unit'],
  ['checker_rt_priority', 'give the process its priority in its systemd unit'],
]);

/** Only what is about LVS is worth a line: most of global_defs is about mail, SNMP and VRRP. */
const ABOUT_LVS = /^(lvs_|checker_)/;

/** @returns the settings for all agents, null if there are none */
export function agentSettings(globals: readonly Statement[], report: ImportReport): object | null {
  for (const statement of globals.flatMap(blockOf)) {
    const keyword = keywordOf(statement);
    const why = EXPLANATIONS.get(keyword);
    if (why !== undefined) report.leftOut(statement, why);
    else if (ABOUT_LVS.test(keyword)) report.leftOut(statement, 'nothing here stands for it');
  }
  return null;
}
