import { isName } from '../../model/names.ts';

const MAX_LENGTH = 63;

/** Gives records valid names that nothing else of their kind has yet. */
export class RecordNames {
  readonly #taken = new Set<string>();

  /** `wanted`, made valid, with a number behind it if it is taken. */
  claim(wanted: string): string {
    const base = validName(wanted);
    let name = base;
    for (let number = 2; this.#taken.has(name); number++) {
      const suffix = `-${number}`;
      name = `${base.slice(0, MAX_LENGTH - suffix.length)}${suffix}`;
    }
    this.#taken.add(name);
    return name;
  }
}

/** What cannot stand in a name becomes a hyphen: "2001:db8::10" is "2001-db8--10", "/healthz" is "healthz". */
export function validName(text: string): string {
  const name = text
    .replaceAll(/[^A-Za-z0-9._-]/g, '-')
    .replace(/^[^A-Za-z0-9]+/, '')
    .slice(0, MAX_LENGTH)
    .replace(/-+$/, '');
  return isName(name) ? name : 'unnamed';
}
