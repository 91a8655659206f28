import type { CliIo } from './io.ts';
import { CliFailure } from './io.ts';

/** Who is at the keyboard: as they say, or as the system knows them, also behind sudo. */
export function operatorName({ env }: CliIo, given: string | undefined): string {
  const name = [given, env['SUDO_USER'], env['USER'], env['LOGNAME']].find((one) => one !== undefined && one !== '');
  if (name !== undefined) return name;
  throw new CliFailure('usage', 'who are you? --by says it, since the environment does not');
}
