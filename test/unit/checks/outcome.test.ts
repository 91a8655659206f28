import { describe, expect, it } from 'vitest';
import { formatMs, outcomeOfError, shortened } from '../../../src/checks/outcome.ts';

/** As Node makes them from a failed system call. */
function systemError(code: string, syscall = 'connect'): Error {
  return Object.assign(new Error(`${syscall} ${code} 10.0.0.11:8443`), { code, syscall });
}

const judged = (error: Error) => outcomeOfError(error, '10.0.0.11:8443', 'while connecting', 5);

describe('errors of the real', () => {
  it.each(['ECONNREFUSED', 'EHOSTUNREACH', 'EHOSTDOWN'])('%s is an answer', (code) => {
    expect(judged(systemError(code))).toMatchObject({ kind: 'failure', proof: 'answer', latencyMs: 5 });
  });

  it.each(['ECONNRESET', 'ECONNABORTED', 'EPIPE', 'ETIMEDOUT'])('%s may be due to our own slowness', (code) => {
    expect(judged(systemError(code, 'read'))).toMatchObject({ kind: 'failure', proof: 'absence' });
  });

  it('is said in words', () => {
    expect(judged(systemError('ECONNREFUSED'))).toMatchObject({
      cause: 'connection refused by 10.0.0.11:8443, while connecting',
    });
    const hungUp = Object.assign(new Error('socket hang up'), { code: 'ECONNRESET' });
    expect(judged(hungUp)).toMatchObject({ cause: 'connection closed by 10.0.0.11:8443, while connecting' });
    const malformed = Object.assign(new Error('Parse Error'), {
      code: 'HPE_INVALID_CONSTANT',
      reason: 'Expected HTTP/',
    });
    expect(judged(malformed)).toMatchObject({ cause: 'Expected HTTP/ (HPE_INVALID_CONSTANT), while connecting' });
  });
});

describe('errors of our own', () => {
  it.each([
    'EMFILE',
    'ENFILE',
    'ENOBUFS',
    'ENOMEM',
    'EAGAIN',
    'EADDRNOTAVAIL',
    'EADDRINUSE',
    'ENETUNREACH',
    'ENETDOWN',
    'EAFNOSUPPORT',
    'EINVAL',
    'EACCES',
    'EPERM',
  ])('%s says nothing about the real', (code) => expect(judged(systemError(code)).kind).toBe('notRun'));

  it('counts an error that nobody has judged yet as our own', () => {
    expect(judged(systemError('EPROTONOSUPPORT'))).toEqual({
      kind: 'notRun',
      cause: 'connect failed with EPROTONOSUPPORT (10.0.0.11:8443)',
    });
  });
});

it('cuts and cleans what the other side says', () => {
  expect(shortened('a\u0000\u001b[31mb')).toBe('a [31mb');
  expect(shortened('x'.repeat(1_000)).length).toBeLessThan(170);
});

it('rounds latencies to what matters', () => {
  expect([0, 0.04, 0.44, 1, 3.4, 250.6].map(formatMs)).toEqual([
    '0.1 ms',
    '0.1 ms',
    '0.4 ms',
    '1 ms',
    '3 ms',
    '251 ms',
  ]);
});
