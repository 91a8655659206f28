import { describe, expect, it } from 'vitest';
import { AGENT_STATE_EXAMPLE } from '../../../docs/record-examples.ts';
import type { Harness } from './cli-harness.ts';
import { harness } from './cli-harness.ts';

const ONE = `sha256:${'1a'.repeat(32)}`;
const OTHER = `sha256:${'1b'.repeat(32)}`;

/** Two agents hold one change, and one of them another. */
function holding(): Harness {
  const cli = harness({}, { USER: 'ana' });
  const hold = (revision: string, since: string, lost: readonly string[]) => ({
    revision,
    why: 'too much',
    since,
    lost,
  });
  const early = hold(ONE, '2026-01-01T10:00:00.000Z', ['real web/a', 'real web/b']);
  const late = hold(OTHER, '2026-01-01T11:00:00.000Z', ['service api']);
  cli.store.put('state/agents/lb1', { ...AGENT_STATE_EXAMPLE, agent: 'lb1', holds: [late] });
  cli.store.put('state/agents/lb2', { ...AGENT_STATE_EXAMPLE, agent: 'lb2', holds: [early] });
  cli.store.put('state/agents/lb3', {
    ...AGENT_STATE_EXAMPLE,
    agent: 'lb3',
    holds: [{ ...early, lost: ['real web/c'] }],
  });
  cli.store.put('state/agents/lb4', '{"v": 99}');
  return cli;
}

describe('approve', () => {
  it('says what is held, by whom, and what it would take away', async () => {
    const { out, exitCode } = await holding().run('approve');
    expect(exitCode).toBe(0);
    const [first = '', second = ''] = out.split('\n\n');
    expect(first).toMatch(new RegExp(`^HELD ${ONE}\n  by lb2 for .*: too much\n  by lb3 for `));
    expect(first).toContain('would take away: real web/a, real web/b, real web/c');
    expect(first).toContain(`vipkeeper approve ${ONE} --why REASON`);
    expect(second).toContain(`HELD ${OTHER}\n  by lb1 `);
    expect(JSON.parse((await holding().run('approve', '--json')).out)).toMatchObject([
      { revision: ONE, holders: [{ agent: 'lb2' }, { agent: 'lb3' }] },
      { revision: OTHER, lost: ['service api'] },
    ]);
    expect(await harness().run('approve')).toEqual({ exitCode: 0, out: 'nothing is held\n', err: '' });
  });

  it('approves exactly the revision, with who and why', async () => {
    const cli = holding();
    const { out, exitCode } = await cli.run('approve', ONE, '--why', 'CHG-1300');
    expect(exitCode).toBe(0);
    expect(out).toContain(`approved ${ONE} for lb2, lb3, by ana`);
    expect(cli.store.text(`config/approvals/${'1a'.repeat(32)}`)).toBe('{"by":"ana","why":"CHG-1300"}');
    expect(cli.store.text(`config/approvals/${'1b'.repeat(32)}`)).toBeUndefined();
  });

  it('takes the beginning of a revision, if it is that of just one', async () => {
    const cli = holding();
    expect(await cli.run('approve', '1b1b1b1b1b1b')).toMatchObject({ exitCode: 0 });
    expect(cli.store.text(`config/approvals/${'1b'.repeat(32)}`)).toBeDefined();
    for (const text of ['1b1b', 'chg-1', 'sha256:'])
      expect(await cli.run('approve', text)).toMatchObject({ exitCode: 2 });
    cli.store.put('state/agents/lb9', {
      ...AGENT_STATE_EXAMPLE,
      holds: [{ revision: `sha256:1a1a1a1a${'0'.repeat(56)}`, why: '', since: '2026-01-01T10:00:00.000Z', lost: [] }],
    });
    expect((await cli.run('approve', '1a1a1a1a')).err).toContain('begins more than one held revision');
  });

  it('refuses what nobody holds, unless forced', async () => {
    const cli = holding();
    const unheld = 'c'.repeat(64);
    const { exitCode, err } = await cli.run('approve', unheld);
    expect(exitCode).toBe(1);
    expect(err).toContain(`no agent holds ${unheld}; held: ${ONE}, ${OTHER}`);
    expect(cli.store.text(`config/approvals/${unheld}`)).toBeUndefined();
    expect(await cli.run('approve', '--force', unheld.slice(0, 20))).toMatchObject({ exitCode: 1 });
    expect(await cli.run('approve', '--force', unheld, '--by', 'bob')).toMatchObject({ exitCode: 0 });
    expect(cli.store.text(`config/approvals/${unheld}`)).toBe('{"by":"bob","why":""}');
  });

  it('approves once more only when forced, with a record that is new', async () => {
    const cli = holding();
    await cli.run('approve', ONE, '--why', 'first');
    const path = `config/approvals/${'1a'.repeat(32)}`;
    const first = cli.store.records.get(path)?.created ?? 0n;
    const again = await cli.run('approve', ONE);
    expect(again.exitCode).toBe(5);
    expect(again.err).toContain('was approved already, by ana');
    expect(await cli.run('approve', '--force', ONE)).toMatchObject({ exitCode: 0 });
    expect(cli.store.records.get(path)?.created).toBeGreaterThan(first);
  });

  it('wants to know who it is, and takes only text that a record can have', async () => {
    const cli = harness();
    expect(await cli.run('approve', '--force', ONE)).toMatchObject({ exitCode: 2 });
    expect(await cli.run('approve', '--force', ONE, '--by', 'x'.repeat(101))).toMatchObject({ exitCode: 3 });
    const sudo = harness({}, { USER: 'root', SUDO_USER: 'ana' });
    expect((await sudo.run('approve', '--force', ONE)).out).toContain('by ana');
  });
});
