import type { Effect, OpCounts, ServiceEffect } from '../agent/policy/effect.ts';
import { isNoEffect } from '../agent/policy/effect.ts';
import type { Hold } from '../agent/policy/guard.ts';
import type { Preview } from '../agent/policy/preview.ts';
import { shortList } from './change-page.ts';
import type { AffectedReal } from './connections.ts';
import { countText } from './count-text.ts';
import { printable } from './table.ts';

const INDENT = '  ';

export interface AgentPreview extends Preview {
  readonly agent: string;
  /** What it was compared with, for people. */
  readonly comparedWith: string;
  /** Reals that lose their traffic when the whole change is in force. */
  readonly affected: readonly AffectedReal[];
  /** Why nothing is known of connections; null = it is. */
  readonly connectionsUnknown: string | null;
}

/** What a change does to one agent, for people. */
export function previewPage(preview: AgentPreview): string {
  const { agent, comparedWith, effect, hold, ifApproved } = preview;
  const lines = [`AGENT ${agent}, compared with ${comparedWith}`, ...effectLines(effect)];
  if (hold !== null) lines.push(...holdLines(hold));
  if (ifApproved !== null) lines.push('once it is approved', ...effectLines(ifApproved));
  lines.push(...connectionLines(preview));
  return lines.map((line) => `${printable(line)}\n`).join('');
}

function effectLines(effect: Effect): readonly string[] {
  if (isNoEffect(effect)) return [`${INDENT}nothing changes on it`];
  const { services, routes, addresses, peers } = effect;
  const lines = [
    ...services.map(serviceLine),
    ...addresses.map(
      ({ kind, address, interface: carrier }) => `${address} is ${kind} ${kind === 'added' ? 'to' : 'from'} ${carrier}`,
    ),
    ...routes.map(({ vip, address, kind, why }) => `VIP ${vip}: ${address} is ${kind}: ${why}`),
    ...peers.map(({ peer, kind }) => `BGP peer ${peer}: ${PEER_WORDS[kind]}`),
    kernelLine(services),
  ];
  return lines.map((line) => `${INDENT}${line}`);
}

const PEER_WORDS = {
  added: 'a new session',
  removed: 'its session is closed',
  changed: 'its session is closed and opened again',
} as const;

function serviceLine({ service, kind, kernelServices, destinations, leaving, drained }: ServiceEffect): string {
  const { before, after } = kernelServices;
  const expansion = before === after ? countText(after, 'kernel service') : `kernel services ${before} → ${after}`;
  const away = leaving.length === 0 ? '' : `; leaving: ${shortList(leaving)}`;
  const quiet = drained.length === 0 ? '' : `; at weight 0: ${shortList(drained)}`;
  return `service ${service} is ${kind}: ${expansion}, destinations ${countsText(destinations)}${away}${quiet}`;
}

function kernelLine(services: readonly ServiceEffect[]): string {
  const ops = (all: readonly OpCounts[]): string => {
    const sum = (one: keyof OpCounts): number => all.reduce((total, counts) => total + counts[one], 0);
    return countsText({ added: sum('added'), edited: sum('edited'), deleted: sum('deleted') });
  };
  const kernelServices = ops(services.map((one) => one.services));
  return `in the kernel: services ${kernelServices}, destinations ${ops(services.map((one) => one.destinations))}`;
}

/** "+3 ~0 -2": added, edited, deleted. */
function countsText({ added, edited, deleted }: OpCounts): string {
  return `+${added} ~${edited} -${deleted}`;
}

export function holdLines({ why, revision, lost, lostCount }: Hold): readonly string[] {
  const names = shortList(lost);
  return [
    `HELD by the guard: ${why}`,
    `${INDENT}would take away ${lostCount}: ${names}`,
    `${INDENT}to let it pass once it is in the store: vipkeeper approve ${revision}`,
  ];
}

function connectionLines({ affected, connectionsUnknown }: AgentPreview): readonly string[] {
  if (affected.length === 0) return [];
  if (connectionsUnknown !== null) return [`connections affected: unknown (${connectionsUnknown})`];
  const active = affected.reduce((sum, one) => sum + (one.active ?? 0), 0);
  const busy = affected.filter((one) => (one.active ?? 0) + (one.inactive ?? 0) > 0);
  const head = `connections affected: ${active} active on ${countText(affected.length, 'real')}`;
  return [
    head,
    ...busy.map(({ real, leaves, active: open, inactive }) => {
      const fate = leaves ? 'leaves when they have ended, or its time is over' : 'gets no new ones';
      return `${INDENT}${real}: ${open ?? 0} active, ${inactive ?? 0} inactive; ${fate}`;
    }),
  ];
}
