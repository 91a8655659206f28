import { readFile } from 'node:fs/promises';
import { dirname } from 'node:path';
import { mkdir } from 'node:fs/promises';
import { writeAtomically } from './files.ts';

/** Bound of what is read back; beyond it the index is begun anew. */
const MAX_INDEX_BYTES = 64 * 1024 * 1024;

/**
 * When each record was first seen, kept beside the records. A file's own birth time will not do: an atomic edit makes
 * a new file, so that editing the older of two conflicting records would make it the younger, and the other would win.
 * The index is a comfort and no truth: where it is missing or cannot be written, birth times stand in.
 */
export class CreationIndex {
  readonly #file: string;
  #times = new Map<string, bigint>();

  constructor(file: string) {
    this.#file = file;
  }

  async load(): Promise<void> {
    this.#times = await readIndex(this.#file);
  }

  createdOf(path: string, birth: bigint): bigint {
    return this.#times.get(path) ?? birth;
  }

  /**
   * Takes in what is there now: new paths are entered with their birth time, vanished ones dropped.
   * @returns whether the file was written
   * @throws errors of the file system
   */
  async sync(births: ReadonlyMap<string, bigint>): Promise<boolean> {
    if (!this.#differs(births)) return false;
    // Another process may have entered a path before us, and then its time stands.
    const written = await readIndex(this.#file);
    const next = new Map<string, bigint>();
    for (const [path, birth] of births) next.set(path, written.get(path) ?? this.#times.get(path) ?? birth);
    this.#times = next;
    await this.#save();
    return true;
  }

  /** Enters or drops single paths. @throws errors of the file system */
  async change(entered: ReadonlyMap<string, bigint>, dropped: readonly string[]): Promise<void> {
    await this.load();
    for (const path of dropped) this.#times.delete(path);
    for (const [path, birth] of entered) if (!this.#times.has(path)) this.#times.set(path, birth);
    await this.#save();
  }

  #differs(births: ReadonlyMap<string, bigint>): boolean {
    if (births.size !== this.#times.size) return true;
    for (const path of births.keys()) if (!this.#times.has(path)) return true;
    return false;
  }

  async #save(): Promise<void> {
    const lines = [...this.#times].sort(([a], [b]) => (a < b ? -1 : 1));
    const object = Object.fromEntries(lines.map(([path, time]) => [path, time.toString()]));
    await mkdir(dirname(this.#file), { recursive: true });
    await writeAtomically(this.#file, Buffer.from(`${JSON.stringify(object, null, 1)}\n`), { durable: true });
  }
}

async function readIndex(file: string): Promise<Map<string, bigint>> {
  const times = new Map<string, bigint>();
  try {
    const text = await readFile(file, 'utf8');
    if (text.length > MAX_INDEX_BYTES) return times;
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed !== 'object' || parsed === null) return times;
    for (const [path, time] of Object.entries(parsed)) {
      if (typeof time === 'string' && /^[0-9]{1,20}$/.test(time)) times.set(path, BigInt(time));
    }
  } catch {
    // Missing or spoilt: begun anew from birth times.
  }
  return times;
}
