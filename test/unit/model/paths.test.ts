import { describe, expect, it } from 'vitest';
import { parsePath } from '../../../src/model/paths.ts';

const DIGITS = '0123456789abcdef'.repeat(4);

describe('paths of the contract', () => {
  it.each([
    ['config/vips/web', { kind: 'vip', name: 'web' }],
    ['config/services/web', { kind: 'service', name: 'web' }],
    ['config/services/web/reals/a', { kind: 'real', service: 'web', name: 'a' }],
    ['config/checks/ok', { kind: 'check', name: 'ok' }],
    ['config/agents/lb1', { kind: 'agent', name: 'lb1' }],
    ['config/agents/_default', { kind: 'agent', name: '_default' }],
    ['config/drains/chg-1', { kind: 'drain', name: 'chg-1' }],
    [`config/approvals/${DIGITS}`, { kind: 'approval', name: DIGITS }],
    [`config/approvals/sha256:${DIGITS}`, { kind: 'approval', name: `sha256:${DIGITS}` }],
    ['config', { kind: 'folder' }],
    ['config/vips', { kind: 'folder' }],
    ['config/services/web/reals', { kind: 'folder' }],
  ])('%s', (path, place) => {
    expect(parsePath(path)).toEqual(place);
  });

  it.each([
    ['state/health/web/lb1', 'a path under config/'],
    ['config/vip/web', '"vips"?'],
    ['config/service/web', '"services"?'],
    ['config/elephants/x', 'config/vips/'],
    ['config/vips/_default', 'a name of 1 to 63'],
    ['config/vips/', 'a name of 1 to 63'],
    ['config/vips/a b', 'a name of 1 to 63'],
    ['config/vips/web/more', 'config/services/SERVICE/reals/REAL'],
    ['config/services/web/real/a', 'config/services/SERVICE/reals/REAL'],
    ['config/services/web/reals/a/b', 'config/services/SERVICE/reals/REAL'],
    ['config/services/web/reals/_a', 'a name of 1 to 63'],
    ['config/agents/_other', '"_default"'],
    ['config/approvals/latest', 'the 64 hexadecimal digits of a revision'],
    [`config/approvals/${DIGITS.toUpperCase()}`, 'the 64 hexadecimal digits of a revision'],
    ['', 'a path under config/'],
  ])('%j is none: allowed is %s', (path, allowed) => {
    const place = parsePath(path);
    expect(place.kind).toBe('invalid');
    expect(place.kind === 'invalid' && place.allowed).toContain(allowed);
  });
});
