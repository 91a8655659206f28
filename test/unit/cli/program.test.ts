import { describe, expect, it } from 'vitest';
import { EXIT_CODES } from '../../../src/core/exit-codes.ts';
import { err } from '../../../src/core/result.ts';
import { harness } from './cli-harness.ts';

/** Those that take a bootstrap file. */
const COMMANDS = [
  'agent',
  'status',
  'get',
  'set',
  'rm',
  'ls',
  'export',
  'lint',
  'plan',
  'apply',
  'approve',
  'drain',
  'undrain',
  'watch',
  'restart',
];

describe('the command line', () => {
  it('explains itself, with examples and every exit code', async () => {
    const { exitCode, out, err: errors } = await harness().run('--help');
    expect([exitCode, errors]).toEqual([0, '']);
    for (const command of [...COMMANDS, 'import', 'version']) {
      expect(out).toMatch(new RegExp(`^  ${command}\\b`, 'm'));
    }
    expect(out).toContain('Examples:');
    for (const { code, meaning } of Object.values(EXIT_CODES)) expect(out).toContain(`  ${code}  ${meaning}`);
    for (const line of out.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it.each(COMMANDS)('explains %s', async (command) => {
    const { exitCode, out } = await harness().run('help', command);
    expect(exitCode).toBe(0);
    expect(out).toContain(`Usage: vipkeeper ${command}`);
    expect(out).toContain('--bootstrap <FILE>');
    expect(out).toContain('/etc/vipkeeper/bootstrap.json');
  });

  it('takes the bootstrap file from the environment, and rather from the option', async () => {
    const asked: string[] = [];
    const runAgent = (path: string, { flush }: { readonly flush: boolean }): Promise<number> => {
      asked.push(flush ? `${path}, flush` : path);
      return Promise.resolve(6);
    };
    const { run } = harness({ runAgent }, { VIPKEEPER_BOOTSTRAP: '/from/env.json' });
    expect(await run('agent')).toMatchObject({ exitCode: 6 });
    await run('agent', '--flush', '--bootstrap', '/from/option.json');
    await harness({ runAgent }).run('agent');
    expect(asked).toEqual(['/from/env.json', '/from/option.json, flush', '/etc/vipkeeper/bootstrap.json']);
  });

  it.each([[['frobnicate']], [['get']], [['get', 'a', 'b', 'c']], [['status', '--jsno']], [[]]])(
    'refuses %j with the exit code for usage',
    async (args) => {
      const { exitCode, err: errors } = await harness().run(...args);
      expect(exitCode).toBe(2);
      expect(errors).not.toBe('');
    },
  );

  it('suggests what was meant', async () => {
    expect((await harness().run('staus')).err).toContain('status');
    expect((await harness().run('status', '--jsno')).err).toContain('--json');
  });

  it('prints the version', async () => {
    expect(await harness().run('version')).toEqual({ exitCode: 0, out: '1.2.3\n', err: '' });
  });

  it('lists everything that is wrong with the bootstrap file', async () => {
    const problem = { path: '/etc/b.json', allowed: 'a name', effect: 'ignored' } as const;
    const { run } = harness({
      loadBootstrap: () =>
        err([
          { ...problem, field: 'agent', found: '"a/b"' },
          { ...problem, field: '', found: 'an unknown field "stor"' },
        ]),
    });
    const outcome = await run('get', 'config/vips/web', '--bootstrap', '/etc/b.json');
    expect(outcome.exitCode).toBe(3);
    expect(outcome.err).toBe(
      'vipkeeper: the bootstrap file /etc/b.json cannot be used:\n' +
        '  agent: found "a/b", allowed a name\n  found an unknown field "stor", allowed a name\n',
    );
  });
});
