import { EXIT_CODES } from '../core/exit-codes.ts';
import { BOOTSTRAP_ENV, DEFAULT_BOOTSTRAP } from './bootstrap-access.ts';

/** Command lines with what they are for. */
type Examples = readonly (readonly [command: string, purpose: string])[];

export const DESCRIPTION =
  'A load-balancer agent for Linux. It takes VIPs, services, reals and checks from ZooKeeper, etcd or a directory ' +
  'of JSON files, programs IPVS, checks the reals, writes their health back, and announces healthy VIPs by BGP. ' +
  'Operators change records in the store; there is no configuration file to distribute.';

export const MAIN_EXAMPLES: Examples = [
  ['vipkeeper agent', 'run the agent'],
  ['vipkeeper status', 'what it knows and does'],
  ['vipkeeper ls -r', 'every record of the store'],
  [`vipkeeper set config/services/web/reals/a '{"address": "10.0.0.11", "port": 8443}'`, 'add a real'],
];

export const STATUS_EXAMPLES: Examples = [
  ['vipkeeper status', 'the agent of this machine'],
  ['vipkeeper status --api http://10.0.0.1:8370', 'another one'],
  ['vipkeeper status --api https://lb2.example.net:8370 --api-ca /etc/vipkeeper/ca.pem', 'another one, over HTTPS'],
  [`vipkeeper status --json | jq '.services[].reals[] | select(.verdict != "up")'`, 'reals that are not up'],
];

export const GET_EXAMPLES: Examples = [
  ['vipkeeper get config/services/web', 'the record as it was written'],
  ['vipkeeper get state/health/web/lb1', "one agent's view of the service"],
  ['vipkeeper get --json config/services/web', 'with its revisions'],
];

export const SET_EXAMPLES: Examples = [
  [`vipkeeper set config/vips/web '{"addresses": ["203.0.113.10"]}'`, 'from the command line'],
  ['vipkeeper set config/services/web @web.json', 'from a file'],
  [
    `vipkeeper get config/services/web | jq '.scheduler = "rr"' | vipkeeper set config/services/web -`,
    'change one field',
  ],
  [
    `vipkeeper set config/drains/chg-1 '{"target": "web/a", "by": "ana", "why": "kernel upgrade"}'`,
    'drain a real gently',
  ],
];

export const RM_EXAMPLES: Examples = [
  ['vipkeeper rm config/drains/chg-1', 'end a drain'],
  ['vipkeeper rm --recursive config/services/web', 'a service and its reals'],
];

export const LS_EXAMPLES: Examples = [
  ['vipkeeper ls config/services', 'the services'],
  ['vipkeeper ls -l -r', 'everything, with revisions'],
  ['vipkeeper ls -r state', 'what agents say'],
];

export const LINT_EXAMPLES: Examples = [
  ['vipkeeper lint', 'the live store'],
  ['vipkeeper lint ./lb-config', 'a directory of records, before it is applied; needs no store'],
  ['vipkeeper lint --json --agent lb1 ./lb-config', 'what one agent would find'],
];

export const LINT_NOTE = `An error is what an agent refuses: it leaves the record out, or goes on with its last good version. Advice is about
records that are in force all the same. Names in brackets are the agents that meet a problem which others do not.`;

export const EXPORT_EXAMPLES: Examples = [
  ['vipkeeper export ./lb-config', 'DIR/config/vips/web.json and so on, byte for byte'],
  ['vipkeeper export --pretty --force ./lb-config', 'one field a line, over what is there: for a git repository'],
  [`vipkeeper export | jq 'keys'`, 'one JSON document, by path'],
];

export const IMPORT_NOTE =
  'Prints each line of FILE that is in no record ("left out") or means something else in one ("changed"), then what\n' +
  'lint finds. No store is read or written: look at DIR, then "vipkeeper lint DIR", "plan DIR" and "apply DIR".';

export const IMPORT_EXAMPLES: Examples = [
  ['vipkeeper import /etc/keepalived/keepalived.conf', 'what would be carried over, and what not'],
  ['vipkeeper import /etc/keepalived/keepalived.conf ./lb-config', 'the records, as files'],
  ['vipkeeper import --mark-address 7=203.0.113.7 keepalived.conf ./lb-config', 'with a virtual_server fwmark 7'],
  ['vipkeeper import --format go-keepalived lvs.cfg ./lb-config', 'from the Go clone'],
];

export const PLAN_EXAMPLES: Examples = [
  ['vipkeeper plan ./lb-config', 'what "vipkeeper apply ./lb-config" would do to this agent'],
  ['vipkeeper plan --rm config/services/web/reals/a', 'what taking out a real would do'],
  [`vipkeeper plan --set config/agents/lb1=@lb1.json --agent lb1 --api http://10.0.0.1:8370`, 'on another agent'],
  ['vipkeeper plan', 'what is in the store, but held or not yet in force here'],
];

export const PLAN_NOTE = `Compared is with what the agent of this machine has accepted (its state directory), else with what the store holds.
All checks are taken for passed, and all leave-takings for over. Exit code 0: nothing would change; 8: something would;
3: the edit is not valid. Counts are "+added ~edited -deleted".`;

export const APPLY_EXAMPLES: Examples = [
  ['vipkeeper export --pretty ./lb-config && $EDITOR ./lb-config/config/services/web.json', 'edit a copy'],
  ['vipkeeper apply --dry-run ./lb-config', 'what would be written'],
  ['vipkeeper apply --prune --expect sha256:… ./lb-config', 'exactly what was planned, deletions too'],
];

export const APPLY_NOTE = `Everything is validated before anything is written, and each record is only replaced or deleted if it is still as it
was compared with. ZooKeeper takes about 0.7 MB in one transaction, etcd 128 records; a directory store has none. A
record that says the same in another layout is left as it is. Drains and approvals in DIR are not applied.`;

export const APPROVE_EXAMPLES: Examples = [
  ['vipkeeper approve', 'what is held, by whom, and what it would take away'],
  ['vipkeeper approve sha256:3f2a90c1b7d4 --why CHG-1300', 'let exactly that pass'],
];

export const DRAIN_EXAMPLES: Examples = [
  ['vipkeeper drain web/a --why "kernel upgrade" --for 2h', 'one real, for two hours at most'],
  ['vipkeeper drain agent:lb1 --why CHG-1234', 'a whole director, before work on it'],
  ['vipkeeper undrain web/a', 'back to normal'],
];

export const WATCH_EXAMPLES: Examples = [
  ['vipkeeper watch', 'edits of the configuration, field by field'],
  ['vipkeeper watch state/health/web', 'how the reals of a service fare, on every agent'],
  [`vipkeeper watch --json | jq -r 'select(.kind == "delete").path'`, 'only what is deleted'],
];

export const SIGNALS = `Signals:
  SIGTERM, SIGINT  stop: withdraw the routes, tell the peers (Cease), keep the kernel table (not with --flush)
  SIGUSR2          leave for a restart: peers keep the routes (BGP graceful restart), nothing is withdrawn`;

export const HEALTH_NOTE = `Exit code 0: it does. Whether it does all of its work, and if not why, is in "vipkeeper status", and for tools in
/readyz. Both follow the bootstrap file: plain HTTP, HTTPS, or HTTPS with a client certificate.`;

export const VERIFY_NOTE = `The agent does the same by itself every "verifyInterval". What somebody else changed in its services, reals and
VIP addresses is printed and changed back; services that are not its own are left alone.`;

export const RESTART_NOTE = `The agent is found by the lock in its state directory and gets SIGUSR2. Peers keep its routes for the time of
"bgp.gracefulRestart", the kernel keeps forwarding, and the agent that comes up next adopts both. This command does
not start it: the service manager does (see packaging/vipkeeper.service).`;

export function exampleText(examples: Examples): string {
  const lines = examples.map(([command, purpose]) => `  # ${purpose}\n  ${command}`);
  return ['Examples:', ...lines].join('\n');
}

export function surroundingsText(): string {
  const codes = Object.values(EXIT_CODES).map(({ code, meaning }) => `  ${code}  ${meaning}`);
  return `Environment:\n  ${BOOTSTRAP_ENV}  the bootstrap file, where --bootstrap does not name one (else ${DEFAULT_BOOTSTRAP})\n
Exit codes:\n${codes.join('\n')}`;
}
