/*
 * What the zookeeper check needs of an ensemble. The session is that of the sources, which no check may import: the
 * root of the checking thread hands it over.
 */

/** Whether a znode is there, as far as its ensemble tells. */
export type ZnodeAnswer =
  | { readonly kind: 'exists' }
  | { readonly kind: 'absent' }
  /** The ensemble could not be asked, which says nothing about the znode. */
  | { readonly kind: 'unknown'; readonly cause: string };

/** A znode that is watched until it is released. */
export interface Znode {
  /** At once where the answer is known and still stands. Never rejects, and may take any time. */
  ask(): ZnodeAnswer | Promise<ZnodeAnswer>;
  release(): void;
}

/** The ensembles that checks ask. */
export interface Znodes {
  /**
   * @param servers members of the ensemble, each HOST, HOST:PORT or [IPV6]:PORT
   * @param path absolute
   */
  watch(servers: readonly string[], path: string): Znode;
}

/** A function, because the code behind it is loaded only where a check asks for it. */
export type OpenZnodes = () => Promise<Znodes>;
