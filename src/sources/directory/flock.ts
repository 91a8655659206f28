import { close as closeCallback, open as openCallback } from 'node:fs';
import { constants } from 'node:os';
import { promisify } from 'node:util';
import koffi from 'koffi';
import { CodedError } from '../../core/errors.ts';
import type { Clock } from '../../core/ports.ts';

const open = promisify(openCallback);
const close = promisify(closeCallback);

/** linux include/uapi/asm-generic/fcntl.h */
const LOCK_SH = 1;
const LOCK_EX = 2;
const LOCK_NB = 4;

const MUTEX_RETRY_MS = 5;
const MUTEX_PATIENCE_MS = 3_000;

type Flock = (fd: number, operation: number) => number;
let loaded: Flock | null = null;

/**
 * A lock of the kernel on a file (flock(2)). It goes with the process that holds it, however that ends, so none is ever
 * stale; and it holds across containers that share the folder, where process numbers mean nothing.
 */
export class FileLock {
  readonly #fd: number;
  #open = true;

  private constructor(fd: number) {
    this.#fd = fd;
  }

  /** Resolves to null when another holds it. */
  static async take(file: string): Promise<FileLock | null> {
    const fd = await open(file, 'a', 0o644);
    if (flock(fd, LOCK_EX | LOCK_NB)) return new FileLock(fd);
    await close(fd);
    return null;
  }

  async release(): Promise<void> {
    if (!this.#open) return;
    this.#open = false;
    await close(this.#fd);
  }
}

/** Whether some process holds the lock on an existing file. */
export async function isLocked(file: string): Promise<boolean> {
  const fd = await open(file, 'r');
  try {
    return !flock(fd, LOCK_SH | LOCK_NB);
  } finally {
    await close(fd);
  }
}

/** Runs `job` while holding the lock: for steps of a moment only, so whoever waits does not wait long. */
export async function withLock<T>(file: string, clock: Clock, job: () => Promise<T>): Promise<T> {
  const deadline = clock.monotonic() + MUTEX_PATIENCE_MS;
  for (;;) {
    const lock = await FileLock.take(file);
    if (lock !== null) {
      try {
        return await job();
      } finally {
        await lock.release();
      }
    }
    if (clock.monotonic() > deadline) {
      const text = `${file} has been locked for ${MUTEX_PATIENCE_MS} ms by another process`;
      throw new CodedError('STORE_UNREACHABLE', text, { transient: true });
    }
    await new Promise<void>((resolve) => clock.after(MUTEX_RETRY_MS, resolve));
  }
}

/** True: taken; false: another holds it. */
function flock(fd: number, operation: number): boolean {
  // The process's own symbols: the C library that Node runs on, whatever its file is called.
  loaded ??= koffi.load(null).func('int flock(int fd, int operation)') as Flock;
  if (loaded(fd, operation) === 0) return true;
  const errno = koffi.errno();
  if (errno === constants.errno.EWOULDBLOCK || errno === constants.errno.EAGAIN) return false;
  throw new CodedError('STORE_PROTOCOL', `flock: errno ${errno}; the file system may not know locks`);
}
