import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');

/** Collects all garbage of this thread now, so that what is measured next pays for its own only. */
export const collect = runInNewContext('gc') as () => void;
