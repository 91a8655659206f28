import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CodedError } from '../../../../src/core/errors.ts';
import { INITIAL_STATE, step } from '../../../../src/sources/zookeeper/session-fsm.ts';
import type { FsmAction, FsmEvent, FsmSettings, FsmState } from '../../../../src/sources/zookeeper/session-fsm.ts';
import { runs } from '../../../fakes/property.ts';

const SETTINGS: FsmSettings = {
  sessionTimeoutMs: 9_000,
  connectTimeoutMs: 2_000,
  closeTimeoutMs: 1_000,
  allowReadOnly: false,
};
const IDENTITY = { id: 5n, password: new Uint8Array(16) };
const BROKE = new CodedError('STORE_UNREACHABLE', 'closed', { transient: true });

const started: FsmEvent = { kind: 'start', at: 0 };
const resolved = (servers = 3): FsmEvent => ({ kind: 'resolved', servers, error: null });
const opened: FsmEvent = { kind: 'opened' };
const authenticated: FsmEvent = { kind: 'authenticated' };
const steady: FsmEvent = { kind: 'steady' };
const retryDue: FsmEvent = { kind: 'retryDue' };
const welcomed = (timeoutMs = 9_000, readOnly = false): FsmEvent => ({
  kind: 'welcomed',
  welcome: { identity: IDENTITY, timeoutMs, readOnly },
});
const broken = (at: number): FsmEvent => ({ kind: 'broken', at, error: BROKE });
const deadline = (at: number): FsmEvent => ({ kind: 'deadline', at });
/** Every server's name has one address. */
const start = [started, resolved()];
const CONNECT = [opened, welcomed(), authenticated];

/** Runs events from the beginning: the final state, and the actions of the last event. */
function after(events: readonly FsmEvent[], settings = SETTINGS): { state: FsmState; actions: readonly FsmAction[] } {
  let result: { state: FsmState; actions: readonly FsmAction[] } = { state: INITIAL_STATE, actions: [] };
  for (const event of events) result = step(result.state, event, settings);
  return result;
}

const kinds = (actions: readonly FsmAction[]): string[] =>
  actions.map((action) => (action.kind === 'notify' ? `notify ${action.what}` : action.kind));

describe('at a read-only server', () => {
  const settings = { ...SETTINGS, allowReadOnly: true };
  const reading = [...start, opened, welcomed(9_000, true), authenticated];
  const readOnlyFlag = (events: readonly FsmEvent[]) =>
    after(events, settings).actions.flatMap((action) => (action.kind === 'greet' ? [action.readOnly] : []));

  test('it is read, says so, and one that can write is looked for', () => {
    expect(readOnlyFlag([...start, opened])).toEqual([true]);
    const { state, actions } = after(reading, settings);
    expect(state).toMatchObject({ phase: 'connected', readOnly: true, lastError: { code: 'STORE_UNREACHABLE' } });
    expect(state.lastError?.message).toMatch(/read-only/);
    expect(kinds(actions)).toEqual(['keepAlive', 'seekWriter', 'notify connected']);
  });

  test('one that can write is gone to at once, without the session that only the read-only one knows', () => {
    const found: FsmEvent = { kind: 'writerFound', at: 5_000, server: 2 };
    const { state, actions } = after([...reading, found], settings);
    expect(state).toMatchObject({ phase: 'dialing', server: 2, readOnly: false, session: null });
    expect(kinds(actions)).toEqual(['hangUp', 'answerAll', 'dial', 'armDeadline', 'notify lost']);
    expect(after([...reading, found, opened], settings).actions).toMatchObject([{ kind: 'greet', identity: null }]);
  });

  test('its session is not offered to others when it hangs up, as it does once it has an ensemble again', () => {
    const events = [...reading, broken(5_000), resolved(), opened];
    expect(after(events, settings).actions).toEqual([{ kind: 'greet', identity: null, readOnly: true }]);
  });

  test('who has met an ensemble asks for no such server any more: it may be older than what was read', () => {
    const met = [...start, ...CONNECT, broken(5_000), resolved(), opened];
    expect(readOnlyFlag(met)).toEqual([false]);
    expect(after([...met, welcomed(9_000, true)], settings).state).toMatchObject({ phase: 'dialing', readOnly: false });
    const expired: FsmEvent = { kind: 'expired', at: 5_000 };
    expect(readOnlyFlag([...start, ...CONNECT, expired, opened])).toEqual([false]);
  });

  test('a writer that is found when we have left already changes nothing', () => {
    const found: FsmEvent = { kind: 'writerFound', at: 5_000, server: 2 };
    expect(after([...start, ...CONNECT, found], settings)).toMatchObject({ state: { server: 0 }, actions: [] });
  });
});

describe('the way to a connection', () => {
  test('start resolves the names, then dials the first server, with one deadline for all that follows', () => {
    expect(after([started])).toMatchObject({ state: { phase: 'resolving' }, actions: [{ kind: 'resolve' }] });
    expect(after(start)).toMatchObject({
      state: { phase: 'dialing', server: 0 },
      actions: [
        { kind: 'dial', server: 0 },
        { kind: 'armDeadline', ms: 2_000 },
      ],
    });
  });

  test('opened greets without a session; the deadline is not armed again', () => {
    expect(after([...start, opened]).actions).toEqual([{ kind: 'greet', identity: null, readOnly: false }]);
  });

  test('welcomed authenticates before anybody hears of a connection', () => {
    expect(kinds(after([...start, opened, welcomed()]).actions)).toEqual(['authenticate']);
  });

  test('authenticated is connected: pings at a third, silence ends it at two thirds of what the server granted', () => {
    expect(after([...start, opened, welcomed(6_000), authenticated])).toMatchObject({
      state: { phase: 'connected', session: { timeoutMs: 6_000 } },
      actions: [
        { kind: 'keepAlive', pingMs: 2_000, silenceMs: 4_000 },
        { kind: 'notify', what: 'connected' },
      ],
    });
  });

  test('a read-only server is left for the next one', () => {
    const { state, actions } = after([...start, opened, welcomed(9_000, true)]);
    expect(kinds(actions)).toEqual(['hangUp', 'dial', 'armDeadline']);
    expect(state).toMatchObject({ server: 1, session: null });
    expect(state.lastError?.message).toMatch(/read-only/);
  });

  test.each([
    ['dialing', start],
    ['greeting', [...start, opened]],
    ['authenticating', [...start, opened, welcomed()]],
  ] as const)('the deadline passes while %s: the next server at once', (phase, events) => {
    const { state, actions } = after([...events, deadline(2_000)]);
    expect(state).toMatchObject({ phase: 'dialing', server: 1, failures: 1 });
    expect(state.lastError).toMatchObject({ code: 'STORE_UNREACHABLE' });
    expect(state.lastError?.message).toContain(phase);
    expect(kinds(actions)).toEqual(['hangUp', 'dial', 'armDeadline']);
  });

  test('after the last server has failed there is a pause, then the first again', () => {
    const failed = [...start, broken(1), broken(2), broken(3)];
    expect(after(failed)).toMatchObject({ state: { phase: 'waiting', failures: 3 } });
    expect(kinds(after(failed).actions)).toEqual(['hangUp', 'retryLater']);
    expect(kinds(after([...failed, retryDue]).actions)).toEqual(['resolve']);
    expect(after([...failed, retryDue, resolved()]).actions).toContainEqual({ kind: 'dial', server: 0 });
  });

  test('the list may change with every round', () => {
    const failed = [...start, broken(1), broken(2), broken(3), retryDue];
    expect(after([...failed, resolved(1), broken(4)]).state.phase).toBe('waiting');
    expect(after([...failed, resolved(5)]).actions).toContainEqual({ kind: 'dial', server: 3 });
  });

  test('without any address there is a pause, and the reason', () => {
    const error = new CodedError('STORE_UNREACHABLE', 'zk1 cannot be resolved', { transient: true });
    const none = after([started, { kind: 'resolved', servers: 0, error }]);
    expect(none).toMatchObject({ state: { phase: 'waiting', lastError: error } });
    expect(kinds(none.actions)).toEqual(['retryLater']);
    expect(kinds(after([started, resolved(0), retryDue, resolved(1)]).actions)).toEqual(['dial', 'armDeadline']);
  });
});

describe('a lost connection', () => {
  const lost = [...start, ...CONNECT, steady, broken(5_000)];

  test('answers everybody, says so, and looks for the next server at once, wherever the names lead now', () => {
    const { state, actions } = after(lost);
    expect(kinds(actions)).toEqual(['hangUp', 'answerAll', 'resolve', 'notify lost']);
    expect(after([...lost, resolved()]).actions).toContainEqual({ kind: 'dial', server: 1 });
    expect(actions[1]).toMatchObject({ error: { code: 'STORE_DISCONNECTED', transient: true } });
    expect(state.session?.identity).toBe(IDENTITY);
  });

  test('is taken up again with the session and its password', () => {
    expect(after([...lost, resolved(), opened]).actions).toMatchObject([{ kind: 'greet', identity: IDENTITY }]);
  });

  test('may be silence', () => {
    expect(after([...start, ...CONNECT, deadline(6_000)]).state.lastError?.message).toMatch(/silent for two thirds/);
  });

  test('connections that break before they are steady bring the pause nearer: no storm', () => {
    const shortLived = [resolved(), ...CONNECT, broken(1)];
    const storm = [started, ...shortLived, ...shortLived, ...shortLived];
    expect(after(storm).state.phase).toBe('waiting');
    expect(kinds(after([started, ...shortLived, resolved(), ...CONNECT, steady]).actions)).toEqual(['resetBackoff']);
  });
});

describe('an expired session', () => {
  const lost = [...start, ...CONNECT, broken(5_000), resolved()];

  test('is told when we return: a new one is asked for at the same server at once', () => {
    const { state, actions } = after([...lost, opened, welcomed(0)]);
    expect(kinds(actions)).toEqual(['hangUp', 'answerAll', 'dial', 'armDeadline', 'notify expired']);
    expect(actions[1]).toMatchObject({ error: { code: 'STORE_SESSION_EXPIRED' } });
    expect(state).toMatchObject({ session: null, server: 1, phase: 'dialing' });
    expect(step(state, opened, SETTINGS).actions).toMatchObject([{ kind: 'greet', identity: null }]);
  });

  test('is told on a live connection: everybody is answered', () => {
    const { actions } = after([...start, ...CONNECT, { kind: 'expired', at: 1 }]);
    expect(kinds(actions)).toEqual(['hangUp', 'answerAll', 'dial', 'armDeadline', 'notify expired']);
  });

  test('a refused new session is a failed attempt, not an expiry', () => {
    expect(kinds(after([...start, opened, welcomed(0)]).actions)).toEqual(['hangUp', 'dial', 'armDeadline']);
  });
});

describe('a store that has begun again', () => {
  const snub = (at: number): FsmEvent[] => [opened, broken(at)];
  const lost = [...start, ...CONNECT, steady, broken(1_000), resolved()];

  test('a server that hangs up on our greeting gives no reason, so the likely ones are named', () => {
    const { state } = after([...start, ...snub(1_000)]);
    expect(state.lastError?.message).toMatch(`${BROKE.message} on our greeting: it may be read-only`);
    expect(after([...start, broken(1_000)]).state.lastError).toBe(BROKE);
  });

  test('hanging up on our greeting at every server for two session times makes us say no more what we have seen', () => {
    const almost = after([...lost, ...snub(5_000), ...snub(9_000)]);
    expect(almost.state).toMatchObject({ session: { identity: IDENTITY }, snubs: [1, 2] });
    const round = [...lost, ...snub(5_000), ...snub(9_000), retryDue, resolved()];
    const done = after([...round, ...snub(19_000)]);
    expect(kinds(done.actions)).toContain('forgetZxid');
    // They may as well be without a leader, and then they know the session again once they have one.
    expect(kinds(done.actions)).not.toContain('notify expired');
    expect(done.state).toMatchObject({ session: { identity: IDENTITY }, snubs: [] });
  });

  test('servers that are frozen have refused nothing: with the greeting unanswered the session is kept', () => {
    const silent = (at: number): FsmEvent[] => [opened, deadline(at)];
    const again: FsmEvent[] = [retryDue, resolved()];
    const frozen = [...lost, ...silent(20_000), ...silent(40_000), ...again, ...silent(60_000), ...silent(80_000)];
    expect(after(frozen).state).toMatchObject({ snubs: [], session: { identity: IDENTITY } });
  });

  test('who answers a greeting with nonsense has not refused us, either', () => {
    const nonsense = new CodedError('STORE_PROTOCOL', 'a frame of -1 bytes', { transient: true });
    const wrong = (at: number): FsmEvent[] => [opened, { kind: 'broken', at, error: nonsense }];
    const { state } = after([...lost, ...wrong(20_000), ...wrong(40_000), retryDue, resolved(), ...wrong(60_000)]);
    expect(state).toMatchObject({ snubs: [], session: { identity: IDENTITY }, lastError: nonsense });
  });

  test('before that time has passed the session is kept', () => {
    const soon = after([...lost, ...snub(1_100), ...snub(1_200), retryDue, resolved(), ...snub(1_300)]);
    expect(soon.state.session?.identity).toBe(IDENTITY);
  });

  test('servers that are down do not count as having refused us', () => {
    const down = after([
      ...lost,
      ...snub(20_000),
      broken(30_000),
      retryDue,
      resolved(),
      broken(40_000),
      broken(50_000),
    ]);
    expect(down.state).toMatchObject({ snubs: [1], session: { identity: IDENTITY } });
  });

  test('one server that refuses us again and again is not all of them', () => {
    const round = (at: number): FsmEvent[] => [...snub(at), broken(at + 1), retryDue, resolved(), broken(at + 2)];
    const minority = after([...lost, ...round(20_000), ...round(40_000), ...round(60_000), ...round(80_000)]);
    expect(minority.state).toMatchObject({ snubs: [1], session: { identity: IDENTITY } });
  });
});

describe('closing', () => {
  test('asks the server to end the session, and waits for a moment', () => {
    const { state, actions } = after([...start, ...CONNECT, { kind: 'close', keepSession: false }]);
    expect(state.phase).toBe('closing');
    expect(actions).toEqual([{ kind: 'armDeadline', ms: 1_000 }, { kind: 'sendClose' }]);
    for (const end of [{ kind: 'closeAnswered' } as const, broken(1), deadline(1)]) {
      expect(kinds(step(state, end, SETTINGS).actions)).toEqual(['hangUp', 'answerAll', 'notify closed']);
    }
  });

  test.each([
    ['idle', []],
    ['resolving', [started]],
    ['dialing', start],
    ['waiting', [...start, broken(1), broken(2), broken(3)]],
  ] as const)('while %s it is over at once', (_phase, events) => {
    const { state } = after([...events, { kind: 'close', keepSession: false }]);
    expect(state.phase).toBe('closed');
  });

  test('keeping the session hangs up without a word', () => {
    const { actions } = after([...start, ...CONNECT, { kind: 'close', keepSession: true }]);
    expect(kinds(actions)).toEqual(['hangUp', 'answerAll', 'notify closed']);
  });
});

const anyEvent: fc.Arbitrary<FsmEvent> = fc.oneof(
  fc.constantFrom<FsmEvent>(
    started,
    resolved(),
    resolved(1),
    resolved(0),
    opened,
    welcomed(),
    welcomed(0),
    welcomed(9_000, true),
    authenticated,
    steady,
  ),
  fc.constantFrom<FsmEvent>(retryDue, { kind: 'closeAnswered' }),
  fc.nat(100_000).map(broken),
  fc.nat(100_000).map(deadline),
  fc.nat(100_000).map((at): FsmEvent => ({ kind: 'expired', at })),
);
const history = fc.tuple(fc.array(anyEvent, { maxLength: 60 }), fc.boolean());

test('whatever happens in whatever order', () => {
  fc.assert(
    fc.property(history, ([events, closes]) => {
      const all: FsmEvent[] = [started, ...events, ...(closes ? [{ kind: 'close', keepSession: true } as const] : [])];
      let state = INITIAL_STATE;
      let lines = 0;
      let isConnected = false;
      for (const event of [...all, ...events]) {
        const before = state.phase;
        const result = step(state, event, SETTINGS);
        state = result.state;
        const did = kinds(result.actions);
        for (const action of did) {
          if (action === 'hangUp') lines = 0;
          if (action === 'dial') lines += 1;
          if (action === 'notify connected') isConnected = true;
          if (action === 'notify lost' || action === 'notify expired' || action === 'notify closed')
            isConnected = false;
        }
        const dialled = ['dialing', 'greeting', 'authenticating', 'connected'].includes(state.phase);
        const wrong = [
          lines > 1 && 'two connections at once',
          dialled && lines !== 1 && 'waiting for a connection that nobody opened',
          before === 'connected' && state.phase !== 'connected' && !did.includes('answerAll') && 'requests left alone',
          isConnected !== (state.phase === 'connected') && 'listeners believe something else',
          state.phase === 'waiting' && before !== 'waiting' && !did.includes('retryLater') && 'waiting for ever',
          before === 'closed' && did.length > 0 && 'activity after the end',
        ].filter((fault) => fault !== false);
        if (wrong.length > 0) throw new Error(`${wrong.join(', ')} after ${event.kind} while ${before}`);
      }
    }),
    runs(1_000),
  );
});
