import Type from 'typebox';
import { describe, expect, it } from 'vitest';
import { fillDefaults } from '../../../src/model/defaults.ts';
import { AgentSettings } from '../../../src/model/records/agent.ts';
import { ServiceRecord } from '../../../src/model/records/service.ts';
import { validatorOf } from '../../../src/model/validate.ts';

describe('defaults', () => {
  it('are filled in below free names, which the library leaves out', () => {
    const validate = validatorOf(AgentSettings);
    const peers = { tor1: { address: '10.1.0.1', asn: 65_000 } };
    const settings = validate({ bgp: { asn: 65_010, peers }, overrides: { web: { state: 'drain' } } });
    expect(settings).toMatchObject({
      ok: true,
      value: {
        bgp: { holdTime: '9s', peers: { tor1: { port: 179 } } },
        overrides: { web: { state: 'drain', reals: {} } },
      },
    });
  });

  it('are filled in in the form of a choice that was meant', () => {
    const service = { vip: 'web', match: { fwmark: 7 }, forward: { tunnel: 'ipip' }, quorum: { weight: 3 } };
    expect(validatorOf(ServiceRecord)(service)).toMatchObject({
      ok: true,
      value: {
        match: { fwmark: 7, families: ['ipv4'] },
        forward: { tunnel: 'ipip', checksum: 'none' },
        quorum: { weight: 3, hysteresis: 0 },
      },
    });
  });

  it('are filled in inside lists, and inside defaults', () => {
    const item = Type.Object({ weight: Type.Integer({ default: 1 }) });
    const schema = Type.Object({
      list: Type.Array(item),
      nested: Type.Object(
        { inner: Type.Object({ flag: Type.Boolean({ default: true }) }, { default: {} }) },
        { default: {} },
      ),
    });
    expect(fillDefaults(schema, { list: [{}, { weight: 5 }] })).toEqual({
      list: [{ weight: 1 }, { weight: 5 }],
      nested: { inner: { flag: true } },
    });
  });

  it('never replace what was written, and never are shared between two values', () => {
    const schema = Type.Object({
      list: Type.Array(Type.String(), { default: [] }),
      on: Type.Boolean({ default: true }),
    });
    expect(fillDefaults(schema, { list: null, on: false })).toEqual({ list: null, on: false });
    const [first, second] = [fillDefaults(schema, {}), fillDefaults(schema, {})] as { list: string[] }[];
    first?.list.push('mine');
    expect(second?.list).toEqual([]);
  });
});
