import type { PortRange } from './desired-state.ts';

/** Ranges as operators write them ("443", "8000-8010"), sorted, without overlap, adjacent ones joined. */
export function portRanges(texts: readonly string[]): PortRange[] {
  const ranges = texts.map((text): PortRange => {
    const [first = '', last = first] = text.split('-');
    return { first: Number(first), last: Number(last) };
  });
  ranges.sort((a, b) => a.first - b.first);
  const merged: PortRange[] = [];
  for (const range of ranges) {
    const before = merged.at(-1);
    // Port 0 means every port, so it is not a neighbour of port 1.
    if (before === undefined || before.first === 0 || range.first > before.last + 1) merged.push(range);
    else merged[merged.length - 1] = { first: before.first, last: Math.max(before.last, range.last) };
  }
  return withoutSecondZero(merged);
}

function withoutSecondZero(ranges: readonly PortRange[]): PortRange[] {
  return ranges.filter((range, index) => range.first !== 0 || index === 0);
}

export function countPorts(ranges: readonly PortRange[]): number {
  return ranges.reduce((count, { first, last }) => count + last - first + 1, 0);
}

export function* eachPort(ranges: readonly PortRange[]): Generator<number> {
  for (const { first, last } of ranges) for (let port = first; port <= last; port++) yield port;
}

export function containsPort(ranges: readonly PortRange[], port: number): boolean {
  return ranges.some(({ first, last }) => port >= first && port <= last);
}

/** The only port there is; null when there are several, or every port. */
export function onlyPort(ranges: readonly PortRange[]): number | null {
  const [range] = ranges;
  if (range === undefined || ranges.length > 1 || range.first !== range.last || range.first === 0) return null;
  return range.first;
}

/** Where a check of the service goes when nothing else says so: its first port; null when it has no port of its own. */
export function firstPort(ranges: readonly PortRange[]): number | null {
  return ranges.find(({ first }) => first > 0)?.first ?? null;
}

export function describePorts(ranges: readonly PortRange[]): string {
  return ranges.map(({ first, last }) => (first === last ? `${first}` : `${first}-${last}`)).join(', ');
}
