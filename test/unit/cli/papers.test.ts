import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { harness } from './cli-harness.ts';

interface Command {
  readonly line: string;
  readonly args: readonly string[];
  readonly exitCode: number;
}

const root = new URL('../../../', import.meta.url);

/** What can be run on records alone. */
const COMMANDS = /^vipkeeper (set|rm|get|ls|drain|undrain) /;

/** The commands of a paper that read or write records, in order; what a comment calls refused must be refused. */
function commandsIn(paper: string): readonly Command[] {
  const text = readFileSync(new URL(paper, root), 'utf8');
  const blocks = Array.from(text.matchAll(/^```sh\n(.*?)^```/gms), ([, block = '']) => block);
  const lines = blocks.flatMap((block) => block.split('\n')).filter((line) => COMMANDS.test(line));
  return lines
    .filter((line) => !line.includes('<') && !line.includes(' state/'))
    .map((line) => {
      const [command = '', comment = ''] = line.split(/ +# /);
      const words = Array.from(
        command.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g),
        ([, one, two, plain]) => one ?? two ?? plain ?? '',
      );
      return { line, args: words.slice(1), exitCode: comment === 'refused' ? 3 : 0 };
    });
}

describe('the commands in the papers', () => {
  it.each([
    ['README.md', 6],
    ['docs/tutorial.md', 18],
  ])('of %s work, one after the other', async (paper, least) => {
    const commands = commandsIn(paper);
    expect(commands.length).toBeGreaterThanOrEqual(least);
    const { run } = harness();
    for (const { line, args, exitCode } of commands) {
      const outcome = await run(...args);
      expect(outcome.exitCode, `${line}\n${outcome.err}`).toBe(exitCode);
      if (exitCode === 0) expect(outcome.err, line).toBe('');
    }
  });

  it('of the operations page work on the tutorial’s records', async () => {
    const { run } = harness({}, { USER: 'ana' });
    for (const { args } of commandsIn('docs/tutorial.md')) await run(...args);
    const commands = commandsIn('docs/operations.md');
    expect(commands.length).toBeGreaterThanOrEqual(2);
    for (const { line, args } of commands) expect((await run(...args)).exitCode, line).toBe(0);
  });
});
