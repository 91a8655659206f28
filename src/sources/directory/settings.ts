export interface DirectorySettings {
  /** Holds `config/` and `state/`. An absolute path. */
  readonly path: string;
  /** How long the records of a process that ended stay. */
  readonly sessionTimeoutMs: number;
}
