import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { create, exists } from './calls.ts';
import { windowed } from './node-reader.ts';
import type { Requester } from './node-reader.ts';
import { foldersAbove } from './paths.ts';
import { CREATE, isRefusal } from './protocol.ts';
import type { AclEntry } from './acl.ts';

const EMPTY = new Uint8Array(0);
const UNDER_WAY = 100;
/** Folders at this depth and below ('state/health/web') belong to one service or so, and go when they are empty. */
const CONTAINER_DEPTH = 3;

/**
 * Makes the folders that ephemeral nodes need, below the root but never the root itself: a root that is absent means
 * "wait", to us and to everybody else, and is for operators to make.
 */
export class FolderMaker {
  readonly #session: Requester;
  readonly #root: string;
  readonly #acl: () => readonly AclEntry[];
  readonly #hasContainers: () => boolean;
  readonly #made = new Set<string>();

  constructor(
    session: Requester,
    root: string,
    options: { readonly acl: () => readonly AclEntry[]; readonly hasContainers: () => boolean },
  ) {
    this.#session = session;
    this.#root = root;
    this.#acl = options.acl;
    this.#hasContainers = options.hasContainers;
  }

  /** Folders may have gone: containers do when they are empty. */
  forget(): void {
    this.#made.clear();
  }

  /** @param paths relative to the root; the folders above them are made */
  async makeFor(paths: readonly string[]): Promise<Result<void, CodedError>> {
    const made = await this.#makeMissing(paths);
    if (made.ok || !isRefusal(made.error, 'noNode')) return made;
    // A folder that we had made was deleted by somebody, or there is no root.
    this.forget();
    const again = await this.#makeMissing(paths);
    if (again.ok || !isRefusal(again.error, 'noNode')) return again;
    return err(new CodedError('STORE_NOT_FOUND', `the root ${this.#root} does not exist yet`, { transient: true }));
  }

  async #makeMissing(paths: readonly string[]): Promise<Result<void, CodedError>> {
    const missing = new Set(paths.flatMap(foldersAbove).filter((folder) => !this.#made.has(folder)));
    // Requests are carried out in order, so the outer folders are there in time for the inner ones.
    const acl = missing.size === 0 ? [] : this.#acl();
    const made = await windowed([...missing].sort(), UNDER_WAY, (folder) => this.#make(folder, acl));
    return made.ok ? ok(undefined) : made;
  }

  async #make(folder: string, acl: readonly AclEntry[]): Promise<Result<void, CodedError>> {
    const isContainer = this.#hasContainers() && folder.split('/').length >= CONTAINER_DEPTH;
    const flag = isContainer ? CREATE.container : CREATE.persistent;
    const path = `${this.#root}/${folder}`;
    const made = await this.#session.request(create({ path, bytes: EMPTY, acl, flag }));
    if (!made.ok && !isRefusal(made.error, 'nodeExists')) {
      // Who may not create below the parent is told so even where the folder has been for long.
      if (!isRefusal(made.error, 'noAuth')) return made;
      if (!(await this.#session.request(exists(path))).ok) return made;
    }
    this.#made.add(folder);
    return ok(undefined);
  }
}
