import { closeSync, openSync } from 'node:fs';
import koffi from 'koffi';

/** CLONE_NEWNET of include/uapi/linux/sched.h. */
const CLONE_NEWNET = 0x4000_0000;

/**
 * Moves this thread into a network namespace of `ip netns`, so that the adapters of this process work on the table of
 * a director of a topology: sockets belong to the namespace in which they were made, children start in it.
 * @returns moves it back; sockets made meanwhile stay where they are
 */
export function enterNetworkNamespace(name: string): () => void {
  const setns = koffi.load('libc.so.6').func('int setns(int, int)') as (fd: number, kind: number) => number;
  const enter = (path: string): number => {
    const fd = openSync(path, 'r');
    if (setns(fd, CLONE_NEWNET) === 0) return fd;
    closeSync(fd);
    throw new Error(`setns() to ${path} failed with errno ${koffi.errno()}`);
  };
  const home = openSync('/proc/thread-self/ns/net', 'r');
  closeSync(enter(`/run/netns/${name}`));
  return () => {
    const back = setns(home, CLONE_NEWNET);
    closeSync(home);
    if (back !== 0) throw new Error(`setns() back failed with errno ${koffi.errno()}`);
  };
}
