import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  type FsmAction,
  type FsmEvent,
  type FsmState,
  INITIAL_STATE,
  step,
  type TimerName,
  TIMERS,
} from '../../../src/bgp/fsm.ts';
import type { BgpState } from '../../../src/bgp/port.ts';
import { runs } from '../../fakes/property.ts';

const SETTINGS = { connectRetryMs: 60_000 };
const NO_DATA = new Uint8Array(0);
const CEASE = { code: 6, subcode: 2, data: NO_DATA };
const BAD_MARKER = { code: 1, subcode: 1, data: NO_DATA };

function at(name: BgpState, over: Partial<FsmState> = {}): FsmState {
  const holdTimeMs = name === 'openConfirm' || name === 'established' ? 9000 : 0;
  return { name, failures: 0, holdTimeMs, stopped: false, ...over };
}

/** Actions in short: "arm hold 9000", "notify 4/0", "send open". */
function short(action: FsmAction): string {
  switch (action.kind) {
    case 'send':
      return `send ${action.message}`;
    case 'notify': {
      const { code, subcode, data } = action.notification;
      return `notify ${code}/${subcode}${data.length === 0 ? '' : ` ${data.join(' ')}`}`;
    }
    case 'arm':
      return `arm ${action.timer} ${action.ms}`;
    case 'disarm':
      return `disarm ${action.timer}`;
    case 'down':
      return 'down';
    case 'dial':
    case 'disconnect':
    case 'disarmAll':
    case 'up':
      return action.kind;
  }
}

const timer = (name: TimerName): FsmEvent => ({ kind: 'timer', timer: name });
const closed: FsmEvent = { kind: 'closed', reason: 'gone' };
const keepalive: FsmEvent = { kind: 'keepalive' };
const update: FsmEvent = { kind: 'update' };
const unexpected = (type: number): FsmEvent => ({ kind: 'unexpected', type });
const notified: FsmEvent = { kind: 'notification', notification: CEASE };
const error: FsmEvent = { kind: 'error', notification: BAD_MARKER, reason: 'the marker is not all ones' };
const stop: FsmEvent = { kind: 'stop', notification: CEASE, reason: 'stopped' };
const silentStop: FsmEvent = { kind: 'stop', notification: null, reason: 'stopped for a restart' };

const toIdle = (...last: string[]): string[] => ['disarmAll', ...last, 'down', 'arm idleHold 1000'];
const toActive = ['disarmAll', 'disconnect', 'down', 'arm connectRetry 1000'];

type Row = readonly [from: FsmState, event: FsmEvent, to: BgpState, actions: readonly string[]];

const ROWS: readonly Row[] = [
  [INITIAL_STATE, { kind: 'start' }, 'connect', ['arm connectRetry 60000', 'dial']],
  [INITIAL_STATE, timer('idleHold'), 'idle', []],
  [at('idle'), timer('idleHold'), 'connect', ['arm connectRetry 60000', 'dial']],
  [at('idle'), { kind: 'start' }, 'idle', []],
  [at('connect'), { kind: 'connected' }, 'openSent', ['disarm connectRetry', 'send open', 'arm hold 240000']],
  [at('connect'), closed, 'active', toActive],
  [at('connect'), timer('connectRetry'), 'connect', ['disconnect', 'down', 'arm connectRetry 60000', 'dial']],
  [at('active'), timer('connectRetry'), 'connect', ['arm connectRetry 60000', 'dial']],
  [at('active'), { kind: 'connected' }, 'openSent', ['disarm connectRetry', 'send open', 'arm hold 240000']],
  [
    at('openSent'),
    { kind: 'open', holdTimeMs: 9000 },
    'openConfirm',
    ['send keepalive', 'arm hold 9000', 'arm keepalive 3000'],
  ],
  [at('openSent'), { kind: 'open', holdTimeMs: 0 }, 'openConfirm', ['send keepalive', 'disarm hold']],
  [at('openSent'), closed, 'active', toActive],
  [at('openSent'), unexpected(2), 'idle', toIdle('notify 5/1 2')],
  [at('openSent'), error, 'idle', toIdle('notify 1/1')],
  [at('openSent'), notified, 'idle', toIdle('disconnect')],
  [at('openSent'), timer('hold'), 'idle', toIdle('notify 4/0')],
  [at('openConfirm'), keepalive, 'established', ['arm hold 9000', 'arm stable 60000', 'up']],
  [at('openConfirm', { holdTimeMs: 0 }), keepalive, 'established', ['arm stable 60000', 'up']],
  [at('openConfirm'), timer('keepalive'), 'openConfirm', ['send keepalive', 'arm keepalive 3000']],
  [at('openConfirm'), unexpected(1), 'idle', toIdle('notify 5/2 1')],
  [at('openConfirm'), closed, 'idle', toIdle('disconnect')],
  [at('openConfirm'), notified, 'idle', toIdle('disconnect')],
  [at('openConfirm'), timer('hold'), 'idle', toIdle('notify 4/0')],
  [at('established'), keepalive, 'established', ['arm hold 9000']],
  [at('established'), update, 'established', ['arm hold 9000']],
  [at('established', { holdTimeMs: 0 }), update, 'established', []],
  [at('established'), timer('keepalive'), 'established', ['send keepalive', 'arm keepalive 3000']],
  [at('established'), unexpected(1), 'idle', toIdle('notify 5/3 1')],
  [at('established'), error, 'idle', toIdle('notify 1/1')],
  [at('established'), notified, 'idle', toIdle('disconnect')],
  [at('established'), timer('hold'), 'idle', toIdle('notify 4/0')],
  [at('established'), timer('sendHold'), 'idle', toIdle('notify 8/0')],
  [at('established'), closed, 'idle', toIdle('disconnect')],
  [at('established'), stop, 'idle', ['disarmAll', 'notify 6/2', 'down']],
  [at('established'), silentStop, 'idle', ['disarmAll', 'disconnect', 'down']],
  [at('openSent'), stop, 'idle', ['disarmAll', 'notify 6/2', 'down']],
  [at('connect'), stop, 'idle', ['disarmAll', 'disconnect', 'down']],
  [at('active'), stop, 'idle', ['disarmAll', 'disconnect', 'down']],
  [INITIAL_STATE, stop, 'idle', ['disarmAll', 'disconnect']],
];

describe('the state machine', () => {
  it.each(ROWS)('$name: %j', (from, event, to, actions) => {
    const next = step(from, event, SETTINGS);
    expect(next.state.name).toBe(to);
    expect(next.actions.map(short)).toEqual(actions);
  });

  it('waits twice as long after every failure, up to the setting', () => {
    let state: FsmState = at('connect');
    const waits: number[] = [];
    for (let i = 0; i < 10; i++) {
      const next = step(state, closed, SETTINGS);
      const wait = next.actions.find((action) => action.kind === 'arm');
      waits.push(wait?.ms ?? NaN);
      state = step(next.state, timer('connectRetry'), SETTINGS).state;
    }
    expect(waits).toEqual([1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000]);
  });

  it('forgets failures only once a session has lasted a minute', () => {
    const failing = at('openConfirm', { failures: 5 });
    const up = step(failing, keepalive, SETTINGS);
    expect(up.state.failures).toBe(5);
    const lost = step(up.state, closed, SETTINGS);
    expect(lost.actions).toContainEqual({ kind: 'arm', timer: 'idleHold', ms: 32_000 });
    const stable = step(up.state, timer('stable'), SETTINGS);
    expect(stable.state).toMatchObject({ name: 'established', failures: 0 });
  });
});

const eventArbitrary: fc.Arbitrary<FsmEvent> = fc.oneof(
  fc.constantFrom<FsmEvent>({ kind: 'start' }, { kind: 'connected' }, closed, keepalive, update, notified, error),
  fc.constantFrom<FsmEvent>(...TIMERS.map(timer)),
  fc.record({ kind: fc.constant('unexpected' as const), type: fc.integer({ min: 1, max: 5 }) }),
  fc.record({ kind: fc.constant('open' as const), holdTimeMs: fc.constantFrom(0, 3000, 9000) }),
);

/** What the session runner keeps, as far as the machine can see it. */
class Surroundings {
  state: FsmState = INITIAL_STATE;
  readonly armed = new Set<TimerName>();
  connection = false;

  take(event: FsmEvent): void {
    if (event.kind === 'timer') {
      // A timer that is not armed cannot fire.
      if (!this.armed.delete(event.timer)) return;
    }
    // In Active there is no connection of ours; one may be accepted one day.
    if (event.kind === 'connected') this.connection ||= this.state.name === 'active';
    if (event.kind === 'closed') {
      if (!this.connection) return;
      this.connection = false;
    }
    const { state, actions } = step(this.state, event, SETTINGS);
    this.state = state;
    for (const action of actions) this.#run(action);
  }

  /** Something is bound to happen: a timer, or an answer to be had from a connection that a timer watches. */
  get goesOn(): boolean {
    switch (this.state.name) {
      case 'idle':
        return this.armed.has('idleHold');
      case 'connect':
        return this.connection && this.armed.has('connectRetry');
      case 'active':
        return this.armed.has('connectRetry');
      case 'openSent':
        return this.connection && this.armed.has('hold');
      case 'openConfirm':
      case 'established':
        return (
          this.connection && (this.state.holdTimeMs === 0 || (this.armed.has('hold') && this.armed.has('keepalive')))
        );
    }
  }

  #run(action: FsmAction): void {
    if (action.kind === 'arm') this.armed.add(action.timer);
    else if (action.kind === 'disarm') this.armed.delete(action.timer);
    else if (action.kind === 'disarmAll') this.armed.clear();
    else if (action.kind === 'dial') this.connection = true;
    else if (action.kind === 'disconnect' || action.kind === 'notify') this.connection = false;
  }
}

describe('whatever happens', () => {
  it('never comes to rest, until it is told to stop', () => {
    fc.assert(
      fc.property(fc.array(eventArbitrary, { maxLength: 60 }), (events) => {
        const world = new Surroundings();
        world.take({ kind: 'start' });
        for (const event of events) {
          world.take(event);
          if (!world.goesOn) throw new Error(`stuck in ${world.state.name} after ${event.kind}`);
        }
        world.take(stop);
        expect(world.state).toEqual(INITIAL_STATE);
        expect(world.armed.size).toBe(0);
        expect(world.connection).toBe(false);
      }),
      runs(400),
    );
  });

  it('comes up again from any state with a well-behaved peer', () => {
    fc.assert(
      fc.property(fc.array(eventArbitrary, { maxLength: 40 }), (events) => {
        const world = new Surroundings();
        world.take({ kind: 'start' });
        for (const event of events) world.take(event);
        for (let i = 0; i < 10 && world.state.name !== 'established'; i++) {
          switch (world.state.name) {
            case 'idle':
              world.take(timer('idleHold'));
              break;
            case 'active':
              world.take(timer('connectRetry'));
              break;
            case 'connect':
              world.take({ kind: 'connected' });
              break;
            case 'openSent':
              world.take({ kind: 'open', holdTimeMs: 9000 });
              break;
            case 'openConfirm':
              world.take(keepalive);
              break;
          }
        }
        expect(world.state.name).toBe('established');
      }),
      runs(300),
    );
  });

  it('ends a session with at most one NOTIFICATION, and none for a NOTIFICATION', () => {
    fc.assert(
      fc.property(
        fc.constantFrom<BgpState>('openSent', 'openConfirm', 'established'),
        eventArbitrary,
        (name, event) => {
          const { actions } = step(at(name), event, SETTINGS);
          const notifications = actions.filter((action) => action.kind === 'notify').length;
          expect(notifications).toBeLessThanOrEqual(event.kind === 'notification' ? 0 : 1);
        },
      ),
      runs(500),
    );
  });
});
