/**
 * What is wrong with a record, for people: where, what was found, and what would be right. One problem never stops
 * anything but the record it names.
 */
export interface Problem {
  /** Path under the root ('config/vips/web'), or the name of a local file. */
  readonly path: string;
  /** The field inside the record, dotted ('health.floor', 'match.ports[1]'); empty = the record as a whole. */
  readonly field: string;
  /** What is there, shortened. */
  readonly found: string;
  /** What would be right. */
  readonly allowed: string;
  /** What the agent does meanwhile. */
  readonly effect: ProblemEffect;
}

export type ProblemEffect =
  /** Never valid so far: treated as absent. */
  | 'ignored'
  /** The last good version stays in force. */
  | 'last good version stays'
  /** The record is in force all the same; this is advice. */
  | 'in force';

/** One line: `config/services/web: match.ports[0]: found "http", allowed …`. */
export function formatProblem(problem: Problem): string {
  const where = problem.field === '' ? problem.path : `${problem.path}: ${problem.field}`;
  return `${where}: found ${problem.found}, allowed ${problem.allowed} (${problem.effect})`;
}

const FOUND_LIMIT = 80;

/** A value as it is quoted in a problem: JSON, cut short, control characters escaped. */
export function quoteFound(value: unknown): string {
  if (value === undefined) return 'nothing';
  // JSON has no word for what 1e400 becomes.
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value);
  return text.length > FOUND_LIMIT ? `${text.slice(0, FOUND_LIMIT)}…` : text;
}
