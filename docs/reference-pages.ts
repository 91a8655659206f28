import { METRICS } from '../src/api/metric-table.ts';
import { API_REQUESTS } from '../src/api/metrics.ts';
import { templateOf } from '../src/api/openapi.ts';
import { ROUTES } from '../src/api/routes.ts';
import { WRITE_ROUTES } from '../src/api/write-routes.ts';
import { API_ERROR_CODES, ApprovalRequest, DrainRequestBody, ErrorReply, WriteReceipt } from '../src/api/schemas.ts';
import { CHECK_TYPES } from '../src/checks/catalog.ts';
import { schemaOf } from '../src/checks/schema.ts';
import { ERROR_CODES } from '../src/core/errors.ts';
import type { ErrorCode } from '../src/core/errors.ts';
import { EXIT_CODES, exitCodeOf } from '../src/core/exit-codes.ts';
import { Bootstrap } from '../src/model/bootstrap.ts';
import { NAME_RULE } from '../src/model/names.ts';
import { AgentRecord, HealthRecord } from '../src/model/records/state.ts';
import { StatusView } from '../src/model/status.ts';
import { cliPage } from './cli-page.ts';
import { editorSchema, patchSchema } from './json-schemas.ts';
import { block, code, fieldTable, json, outputTable, page, table } from './markdown.ts';
import { AGENT_STATE_EXAMPLE, HEALTH_EXAMPLE } from './record-examples.ts';
import { RECORDS } from './record-table.ts';

/** Every generated file, by its path under docs/reference. */
export function referencePages(bootstrapExample: string): ReadonlyMap<string, string> {
  return new Map([
    ['records.md', recordsPage()],
    ['checks.md', checksPage()],
    ['bootstrap.md', bootstrapPage(bootstrapExample)],
    ['state.md', statePage()],
    ['errors.md', errorsPage()],
    ['metrics.md', metricsPage()],
    ['api.md', apiPage()],
    ['cli.md', cliPage()],
    ...schemaFiles(),
  ]);
}

const RECORD_RULES = `Operators write these records under the root (\`/vipkeeper\` unless the bootstrap file says otherwise): as znodes in
ZooKeeper, as keys in etcd, as files \`PATH.json\` in a directory store. A record is one strict JSON object of at most
64 KiB. The rules for all of them:

- What the tables call a name: ${NAME_RULE}.
- An unknown field makes the record bad; the problem names the nearest field that is known. \`_meta\` may hold anything.
- A bad record harms only itself: if it was never good it counts as absent, else its last good version stays in force.
  Every problem says path, field, what was found and what is allowed; it is in \`vipkeeper status\`, in \`/v1/problems\`
  and in the agent's own record under \`state/agents/\`.
- Of records that conflict, the one that was created first wins, on every agent.
- An empty value is a folder. A path that is not in this table is a problem, and ignored.
- Durations are a number with a unit: \`ms\`, \`s\`, \`m\`, \`h\` or \`d\`.
- Secrets are references, never the secret itself: \`file:/path\` or \`env:NAME\`.

A default in the tables means that the field need not be written. JSON Schema files for editors are in
[schemas/](schemas/).`;

function recordsPage(): string {
  const overview = table(
    ['path', 'what it holds'],
    RECORDS.map(({ path, title }) => [code(path), `[${title}](#${anchorOf(path)})`]),
  );
  const sections = RECORDS.flatMap(({ path, intro, schema, examples }) => [
    `## ${code(path)}`,
    intro,
    ...(schema === null ? [] : [fieldTable(schema)]),
    ...examples.map(([at, value]) => `${code(at)}:\n\n${json(value)}`),
  ]);
  return page('Records', RECORD_RULES, overview, ...sections);
}

/** As GitHub makes anchors of headings. */
function anchorOf(heading: string): string {
  return heading
    .toLowerCase()
    .replaceAll(/[^a-z0-9 _-]/g, '')
    .replaceAll(' ', '-');
}

function checksPage(): string {
  const intro = `A check is a record \`config/checks/NAME\`; services and reals refer to it by its name. All checks of a real must pass.
A verdict changes after \`health.rise\` successes or \`health.fall\` failures of the service in a row. A check that could
not be run (no socket, no memory, an unreadable secret, an ensemble out of reach) says nothing about the real: the
verdict is \`unknown\`, never \`down\`.`;
  const sections = CHECK_TYPES.flatMap((type) => [
    `## ${code(type.type)}`,
    type.summary,
    fieldTable(schemaOf(type)),
    json(type.example),
  ]);
  return page('Checks', intro, ...sections);
}

function bootstrapPage(example: string): string {
  const intro = `The bootstrap file is the only local configuration: it says where the store is, and what must be known before the
store can be read. It is read once, at the start. \`--bootstrap\` or \`VIPKEEPER_BOOTSTRAP\` names it; the default is
\`/etc/vipkeeper/bootstrap.json\`. Exactly one of \`store.zookeeper\`, \`store.etcd\` and \`store.directory\` must be there.`;
  return page(
    'Bootstrap file',
    intro,
    fieldTable(Bootstrap),
    `\`bootstrap.example.json\`:\n\n${block('json', example)}`,
  );
}

function statePage(): string {
  const intro = `Agents write these records for other tools, and only these. They are ephemeral: they live in the agent's session (or
lease), and vanish with it; in a directory store, believe no record after its \`validUntil\`. Version 1 may get more
fields; a field that changes its meaning makes it version 2.`;
  return page(
    'State records',
    intro,
    `## ${code('state/health/SERVICE/AGENT')}`,
    "One agent's view of every real of one service.",
    outputTable(HealthRecord),
    json(HEALTH_EXAMPLE),
    `## ${code('state/agents/AGENT')}`,
    'One agent about itself.',
    outputTable(AgentRecord),
    json(AGENT_STATE_EXAMPLE),
  );
}

function errorsPage(): string {
  const codes = Object.entries(ERROR_CODES) as [ErrorCode, string][];
  return page(
    'Errors and exit codes',
    'Codes are stable: they appear in logs, in reasons and causes, and in messages of the command line.',
    '## Exit codes',
    'Of the agent and of every other command.',
    table(
      ['exit code', 'meaning'],
      Object.values(EXIT_CODES).map(({ code: exit, meaning }) => [`${exit}`, meaning]),
    ),
    '## Error codes',
    table(
      ['code', 'meaning', 'exit code'],
      codes.map(([name, meaning]) => [code(name), meaning, `${exitCodeOf(name)}`]),
    ),
    '## Error codes of the API',
    table(
      ['code', 'meaning'],
      Object.entries(API_ERROR_CODES).map(([name, meaning]) => [code(name), meaning]),
    ),
  );
}

function metricsPage(): string {
  const intro = `\`GET /metrics\` answers in the text format of Prometheus. Labels hold names of records only. Beside these there are the
usual \`process_*\` and \`nodejs_*\` metrics of the process.`;
  const api = { ...API_REQUESTS, type: 'counter' };
  const rows = [...METRICS, api].map(({ name, type, labels, help }) => {
    return [code(name), type, labels.map(code).join(', '), help];
  });
  return page('Metrics', intro, table(['metric', 'type', 'labels', 'what it says'], rows));
}

function apiPage(): string {
  const intro = `Every agent answers over HTTP on \`api.listen\` of its bootstrap file, \`127.0.0.1:8370\` by default; with \`api.tls\`
over HTTPS (TLS 1.2 or newer) and nothing else. Whoever may connect may read: do not listen where strangers can, or name
the authority of those who may, by \`api.tls.clientCa\`. The same in the words of tools: \`GET /v1/openapi.json\`.`;
  const writing = `With \`store.operatorAuth\` in the bootstrap file the API also writes to the store, with these credentials; without
them every write is answered with 403. A write is taken from this machine only, over HTTP or HTTPS, shows the same
credentials ("user:password") as HTTP Basic, names the machine by address, \`localhost\` or host name, and comes from no
web page. A body is \`application/json\` of at most 64 KiB. Records are validated together with all others, as
\`vipkeeper set\` does. \`If-Match: "4711"\` writes only if the record is at that revision (\`modified\` of
\`vipkeeper get --json\`, \`revision\` of the last answer), \`If-None-Match: *\` only if there is none.`;
  const example = `curl -u ana:secret -X POST -H 'content-type: application/json' http://127.0.0.1:8370/v1/drains \\
     -d '{"target": "web/a", "why": "kernel upgrade"}'`;
  const writeRoutes = WRITE_ROUTES.map(({ method, path, summary, replies }) => {
    const answers = Object.entries(replies).map(([status, { description }]) => `${status}: ${description}`);
    return [code(`${method} ${templateOf(path)}`), summary, answers.join(' ')];
  });
  const routes = ROUTES.map(({ path, method = 'GET', summary, replies }) => {
    const answers = Object.entries(replies).map(([status, { description }]) => `${status}: ${description}`);
    return [code(`${method} ${templateOf(path)}`), summary, answers.join(' ')];
  });
  return page(
    'HTTP API',
    intro,
    table(['route', 'what for', 'answers'], routes),
    '## Writing',
    writing,
    block('sh', example),
    table(['route', 'what for', 'answers'], writeRoutes),
    '`POST /v1/drains` takes',
    outputTable(DrainRequestBody),
    '`POST /v1/approvals` takes',
    outputTable(ApprovalRequest),
    'Each write is answered with',
    outputTable(WriteReceipt),
    '## Errors',
    'Every error has one shape; [errors.md](errors.md) lists the codes.',
    outputTable(ErrorReply),
    '## The read model',
    '`GET /v1/status` gives all of it, the other routes parts of it. Times are ISO 8601 in UTC.',
    outputTable(StatusView),
  );
}

function schemaFiles(): [string, string][] {
  const files: [string, object][] = [
    ...RECORDS.flatMap(({ file, schema, title }): [string, object][] => {
      if (file === null || schema === null) return [];
      const make = file === 'agent' ? patchSchema : editorSchema;
      return [[file, make(schema, `vipkeeper: ${title}`)]];
    }),
    ['check', editorSchema({ anyOf: CHECK_TYPES.map(schemaOf) }, 'vipkeeper: a check')],
    ['bootstrap', editorSchema(Bootstrap, 'vipkeeper: the bootstrap file')],
    ['state-health', editorSchema(HealthRecord, 'vipkeeper: health of a service')],
    ['state-agent', editorSchema(AgentRecord, 'vipkeeper: an agent about itself')],
  ];
  return files.map(([name, schema]) => [`schemas/${name}.schema.json`, `${JSON.stringify(schema, null, 2)}\n`]);
}
