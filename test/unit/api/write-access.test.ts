import { describe, expect, it } from 'vitest';
import type { WriteRequestFacts } from '../../../src/api/write-access.ts';
import { judgeWriter } from '../../../src/api/write-access.ts';

const basic = (text: string): string => `Basic ${Buffer.from(text).toString('base64')}`;

const GOOD: WriteRequestFacts = {
  remoteAddress: '127.0.0.1',
  host: '127.0.0.1:8370',
  origin: undefined,
  fetchSite: undefined,
  authorization: basic('ana:se:cret'),
};

const judge = (changes: Partial<WriteRequestFacts>) => judgeWriter({ ...GOOD, ...changes }, 'ana:se:cret', ['lb1']);

describe('who may write', () => {
  it.each<[string, Partial<WriteRequestFacts>]>([
    ['over IPv4', {}],
    ['over IPv6', { remoteAddress: '::1', host: '[::1]:8370' }],
    ['over IPv4 on an IPv6 socket', { remoteAddress: '::ffff:127.0.0.1' }],
    ['by the name localhost', { host: 'localhost' }],
    ['by the host name', { host: 'LB1:8370' }],
    ['from a browser that is not on a page', { fetchSite: 'none' }],
    ['with another case of the scheme', { authorization: basic('ana:se:cret').replace('Basic', 'basic') }],
  ])('the operator on this machine, %s', (_how, changes) => {
    expect(judge(changes)).toEqual({ kind: 'granted', user: 'ana' });
  });

  it.each<[string, Partial<WriteRequestFacts>]>([
    ['another machine', { remoteAddress: '192.0.2.7' }],
    ['another machine on an IPv6 socket', { remoteAddress: '::ffff:192.0.2.7' }],
    ['a name that DNS may have pointed here', { host: 'evil.example:8370' }],
    ['a name that looks like an address', { host: '127.0.0.1.evil.example' }],
    ['no Host at all', { host: undefined }],
    ['an empty Host', { host: '' }],
    ['a web page', { origin: 'https://evil.example' }],
    ['a page without an origin', { origin: 'null' }],
    ['a page of the API itself', { fetchSite: 'same-origin' }],
    ['a page on another site', { fetchSite: 'cross-site' }],
  ])('not %s, whatever the credentials', (_who, changes) => {
    expect(judge(changes)).toMatchObject({ kind: 'forbidden' });
    expect(judge({ ...changes, authorization: undefined })).toMatchObject({ kind: 'forbidden' });
  });

  it.each<[string, string | undefined]>([
    ['none', undefined],
    ['of somebody else', basic('bob:se:cret')],
    ['with another password', basic('ana:secret')],
    ['with a part of the password', basic('ana:se')],
    ['with more than the password', basic('ana:se:cret ')],
    ['empty', basic('')],
    ['without a colon', basic('ana')],
    ['of another scheme', 'Bearer ana:se:cret'],
    ['not encoded', 'Basic ana:se:cret'],
  ])('not without the right credentials: %s', (_which, authorization) => {
    expect(judge({ authorization })).toMatchObject({ kind: 'unauthorized' });
  });
});
