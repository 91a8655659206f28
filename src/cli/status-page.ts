import { countText } from './count-text.ts';
import { durationText } from './duration-text.ts';
import type { DrainView, ProgressView, RealView, ServiceView, StatusView } from '../model/status.ts';
import { formatTable, printable } from './table.ts';

const INDENT = '  ';

/** The status for people, about 120 columns wide. Everything that came from outside is made printable. */
export function statusPage(status: StatusView): string {
  const sections = [
    summary(status),
    problems(status),
    holds(status),
    drains(status),
    vips(status),
    services(status),
    peers(status),
    settings(status),
    failures(status),
    repairs(status),
    history(status),
  ];
  return sections.filter((section) => section !== '').join('\n');
}

function summary(status: StatusView): string {
  const { agent, version, pid, now, startedAt, store, kernel } = status;
  const lines = [
    ['agent', `${agent}, vipkeeper ${version}, pid ${pid}, up for ${span(startedAt, now)}`],
    ['ready', status.ready ? 'yes' : 'NO'],
    ...status.notReady.map((reason) => ['', `because ${reason}`]),
    ['store', storeLine(status)],
    ...(store.publishing === 'ok' ? [] : [['', `health is not published: ${store.publishing}`]]),
    ...configurationLines(status).map((line, at) => [at === 0 ? 'config' : '', line]),
    [
      'kernel',
      `${kernel.adapter}: ${countText(kernel.services, 'service')}, ${countText(kernel.destinations, 'destination')} of ours; ` +
        `${countText(kernel.foreignServices.length, 'service')} of others; ` +
        `${countText(kernel.opsTotal, 'operation')}, ${countText(kernel.repairsTotal, 'repair')}`,
    ],
    ['', connectionLine(status)],
  ];
  return lines.map(([label = '', text = '']) => `${label.padEnd(8)}${printable(text)}\n`).join('');
}

function connectionLine({ kernel, now }: StatusView): string {
  const { connectionEntries, connectionTableSize, countedAt } = kernel;
  const table = connectionTableSize === null ? '' : ` in a table of ${connectionTableSize} buckets`;
  const age = countedAt === null ? '' : `, counted ${span(countedAt, now)} ago`;
  return `${countText(connectionEntries, 'connection')}${table}${age}`;
}

function storeLine({ store, now }: StatusView): string {
  const { source, state, server, session, since, lastError } = store;
  const where = state === 'connected' && server !== null ? ` to ${server}` : '';
  const which = session === null ? '' : `, session ${session}`;
  const length = since === null ? '' : ` for ${span(since, now)}`;
  return `${source}: ${state}${where}${length}${which}${lastError === null ? '' : `; last error: ${lastError}`}`;
}

function configurationLines({ configuration, holds: held }: StatusView): string[] {
  const { acceptedRevision, seenRevision, position, origin, ageSeconds } = configuration;
  if (acceptedRevision === null) return ['none yet'];
  const confirmed = ageSeconds === null ? '' : `, confirmed by the store ${durationText(ageSeconds * 1_000)} ago`;
  const at = position === null ? '' : ` (${position})`;
  const source = origin === 'last-known-good' ? 'from the last-known-good file' : 'from the store';
  const lines = [`${shortRevision(acceptedRevision)} ${source}${confirmed}${at}`];
  if (seenRevision !== null && seenRevision !== acceptedRevision) {
    const why = held.length > 0 ? 'held by the guard, see below' : 'not yet accepted';
    lines.push(`the store has ${shortRevision(seenRevision)}: ${why}`);
  }
  return lines;
}

/** Enough of a revision to tell it from others. */
function shortRevision(revision: string): string {
  return revision.slice(0, 'sha256:'.length + 12);
}

function problems({ problems: all }: StatusView): string {
  if (all.length === 0) return '';
  const lines = all.map(({ path, field, found, allowed, effect }) => {
    return `${path}${field === '' ? '' : `: ${field}`}: found ${found}, allowed ${allowed} (${effect})`;
  });
  return section(`PROBLEMS (${all.length})`, lines);
}

function holds({ holds: all, now }: StatusView): string {
  return all
    .map(({ revision, why, since, lost }) =>
      section(`HELD for ${span(since, now)}: ${why}`, [
        `would take away: ${lost.join(', ')}`,
        `to let it pass: vipkeeper approve ${revision} --why REASON`,
        'or mend the store, so that nothing is lost',
      ]),
    )
    .join('\n');
}

function drains({ drains: all, now }: StatusView): string {
  const lines = all.flatMap((drain) => {
    const { name, target, by, why, until, inForce } = drain;
    const end = until === null ? '' : inForce ? ` until ${until}` : `, over since ${until}`;
    return [`${name}: ${target} by ${by}${end}: ${why}`, `${INDENT}${drainProgress(drain, now)}`];
  });
  return lines.length === 0 ? '' : section(`DRAINS (${all.length})`, lines);
}

function drainProgress({ progress, inForce }: DrainView, now: string): string {
  if (!inForce) return 'not in force';
  if (progress === null) return 'concerns nothing on this agent';
  const { reals, realsDone } = progress;
  return `${realsDone} of ${countText(reals, 'real')} out; ${progressText(progress, now)}`;
}

/** "3 active, 1 inactive, 2 persistent left, for 4m at most", "done". */
function progressText({ connections, deadline, done }: ProgressView, now: string): string {
  if (done) return 'done';
  const { active, inactive, persistent } = connections;
  const end = deadline === null ? '' : `, for ${span(now, deadline)} at most`;
  return `${active} active, ${inactive} inactive, ${persistent} persistent left${end}`;
}

function vips({ vips: all }: StatusView): string {
  if (all.length === 0) return '';
  return formatTable(
    [
      { title: 'VIP', value: ({ name }) => name },
      { title: 'ADDRESSES', value: ({ addresses }) => addresses.join(', ') },
      { title: 'INTERFACE', value: (vip) => vip.interface ?? 'none' },
      { title: 'ADVERTISED', value: ({ advertised }) => (advertised ? 'yes' : 'no') },
      { title: 'WHY', value: ({ reason }) => reason },
    ],
    byName(all),
  );
}

function services({ services: all, now }: StatusView): string {
  return byName(all)
    .map((service) => serviceHeading(service) + realTable(service.reals, now))
    .join('\n');
}

function serviceHeading({ name, vip, state, scheduler, quorum, quorumCause, sorry }: ServiceView): string {
  const admin = state === 'enabled' ? '' : `, ${state}`;
  const apology = sorry ? ', the sorry server takes the traffic' : '';
  return `${printable(`SERVICE ${name} on ${vip}, ${scheduler}${admin}: quorum ${quorum} (${quorumCause})${apology}`)}\n`;
}

function realTable(reals: readonly RealView[], now: string): string {
  if (reals.length === 0) return `${INDENT}no reals\n`;
  return formatTable(
    [
      { title: 'REAL', value: ({ name }) => name },
      { title: 'TARGET', value: ({ target }) => target },
      { title: 'STATE', value: ({ state }) => state },
      { title: 'VERDICT', value: ({ verdict, kept }) => (kept ? `${verdict}, kept` : verdict) },
      { title: 'FOR', value: ({ since }) => (since === null ? '' : span(since, now)), align: 'right' },
      { title: 'WEIGHT', value: weightText, align: 'right' },
      { title: 'ACTIVE', value: ({ activeConnections }) => activeConnections, align: 'right' },
      { title: 'INACT', value: ({ inactiveConnections }) => inactiveConnections, align: 'right' },
      { title: 'PERS', value: ({ persistentConnections }) => persistentConnections, align: 'right' },
      { title: 'WHY', value: (real) => whyText(real, now) },
    ],
    byName(reals),
    INDENT,
  );
}

/** The cause of the verdict, and the reason for the weight where that says something else. */
function whyText(real: RealView, now: string): string {
  const why = causeText(real);
  return real.drain === null ? why : `${why}: ${progressText(real.drain, now)}`;
}

function causeText({ verdict, cause, reason }: RealView): string {
  if (reason === verdict || reason === `${verdict}: ${cause}`) return cause;
  return reason.includes(cause) ? reason : `${cause}; ${reason}`;
}

/** "r2" before "r10". */
function byName<T extends { readonly name: string }>(all: readonly T[]): readonly T[] {
  return [...all].sort((a, b) => a.name.localeCompare(b.name, 'en', { numeric: true }));
}

function weightText({ weight, configuredWeight }: RealView): string {
  return weight === configuredWeight ? `${weight}` : `${weight} of ${configuredWeight}`;
}

function peers({ peers: all, now }: StatusView): string {
  if (all.length === 0) return '';
  return formatTable(
    [
      { title: 'PEER', value: ({ name }) => name },
      { title: 'ADDRESS', value: ({ address }) => address },
      { title: 'AS', value: ({ asn }) => asn, align: 'right' },
      { title: 'STATE', value: ({ state }) => state },
      { title: 'FOR', value: ({ since }) => (since === null ? '' : span(since, now)), align: 'right' },
      { title: 'ANNOUNCED', value: ({ announced }) => announced, align: 'right' },
      { title: 'FLAPS', value: ({ flaps }) => flaps, align: 'right' },
      { title: 'LAST ERROR', value: ({ lastError }) => lastError ?? '' },
    ],
    byName(all),
  );
}

function settings({ kernel }: StatusView): string {
  if (kernel.settings.length === 0) return '';
  return formatTable(
    [
      { title: 'SETTING', value: ({ name }) => name },
      { title: 'WANTED', value: ({ wanted }) => wanted ?? 'as before' },
      { title: 'ACTUAL', value: ({ actual }) => actual ?? 'not known' },
      { title: 'BEFORE', value: ({ before }) => before ?? '' },
      { title: 'DRIFTS', value: ({ drifts }) => drifts, align: 'right' },
    ],
    kernel.settings,
  );
}

function failures({ kernel }: StatusView): string {
  return kernel.failures.length === 0 ? '' : section('REFUSED BY THE KERNEL', kernel.failures);
}

/** How many of the last repairs people are shown. */
const SHOWN_REPAIRS = 5;

function repairs({ kernel, now }: StatusView): string {
  if (kernel.repairs.length === 0) return '';
  const lines = kernel.repairs.slice(-SHOWN_REPAIRS).map(({ at, found }) => `${span(at, now)} ago: ${found}`);
  return section(`CHANGED BY SOMEBODY ELSE, AND CHANGED BACK (${kernel.repairsTotal})`, lines);
}

/** How many of the last events people are shown. */
const SHOWN_EVENTS = 10;

function history({ history: events, now }: StatusView): string {
  if (events.length === 0) return '';
  const lines = events.slice(-SHOWN_EVENTS).map(({ at, what, why }) => `${span(at, now)} ago: ${what} (${why})`);
  return section('DECIDED LATELY', lines);
}

function section(title: string, lines: readonly string[]): string {
  return [title, ...lines.map((line) => `${INDENT}${line}`)].map((line) => `${printable(line)}\n`).join('');
}

function span(from: string, to: string): string {
  return durationText(Date.parse(to) - Date.parse(from));
}
