import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RecordDecoder } from '../../../src/model/decode.ts';
import { checkCatalog } from '../../../src/checks/decode.ts';
import type { DecodeOutcome } from '../../../src/model/record-set.ts';
import { IntakeBench } from '../../fakes/intake-bench.ts';
import { runs } from '../../fakes/property.ts';

const service = fc.constantFrom('s0', 's1', 's2');
const real = fc.constantFrom('a', 'b', 'c');
const vip = fc.constantFrom('shop', 'mail');

interface Edit {
  readonly path: string;
  /** null = it is deleted, with what lies below. */
  readonly value: unknown;
}

/** One edit of a small store, in which services fight for ports, VIPs for addresses and reals for targets. */
const edits: fc.Arbitrary<Edit> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(service, real, fc.nat({ max: 9 }), fc.constantFrom(1, 1, 2)).map(realRecord) },
  { weight: 2, arbitrary: fc.tuple(service, vip, fc.constantFrom('80', '81', '82')).map(serviceRecord) },
  fc.tuple(service, real).map(([name, one]) => ({ path: `services/${name}/reals/${one}`, value: null })),
  fc.tuple(service, real).map(([name, one]) => ({ path: `services/${name}/reals/${one}`, value: { weight: 'x' } })),
  service.map((name) => ({ path: `services/${name}`, value: '{' })),
  service.map((name) => ({ path: `services/${name}`, value: null })),
  fc
    .tuple(vip, fc.constantFrom('192.0.2.1', '192.0.2.2', '2001:db8::1'))
    .map(([name, address]) => ({ path: `vips/${name}`, value: { addresses: [address] } })),
  fc.constantFrom<Edit[]>(
    { path: 'checks/ok', value: { type: 'tcp', interval: '3s' } },
    { path: 'checks/ok', value: null },
    { path: 'checks/ok', value: { type: 'tcp' } },
    { path: 'agents/lb1', value: { services: { s1: { reals: { a: { weight: 7 } } } } } },
    { path: 'agents/lb1', value: { services: { s1: { state: 'drain' } } } },
    { path: 'agents/lb1', value: { limits: { maxDeleteShare: 1 } } },
    { path: 'drains/d', value: { target: 's0/a', by: 'ana', why: 'a test' } },
  ),
);

function realRecord([name, one, weight, host]: [string, string, number, number]): Edit {
  return { path: `services/${name}/reals/${one}`, value: { address: `10.0.0.${host}`, weight, port: 80 } };
}

function serviceRecord([name, on, port]: [string, string, string]): Edit {
  return { path: `services/${name}`, value: { vip: on, match: { ports: [port] }, checks: ['ok'] } };
}

/** Says each time that anything may have changed. */
class ForgetfulDecoder extends RecordDecoder {
  override decode(...input: Parameters<RecordDecoder['decode']>): DecodeOutcome {
    return { ...super.decode(...input), touched: null };
  }
}

async function directors(): Promise<readonly [IntakeBench, IntakeBench]> {
  const both = [new RecordDecoder(checkCatalog), new ForgetfulDecoder(checkCatalog)].map(async (decoder) => {
    const bench = new IntakeBench(undefined, decoder);
    bench.store.put('config/agents/lb1', { limits: { maxDeleteShare: 1 } });
    bench.store.put('config/checks/ok', { type: 'tcp' });
    // The older one has the address, from the moment that a service is on it.
    bench.store.put('config/vips/mail', { addresses: ['192.0.2.1'] });
    bench.store.put('config/vips/shop', { addresses: ['192.0.2.1', '2001:db8::3'] });
    for (const [index, name] of ['s0', 's1', 's2'].entries()) {
      const { value } = serviceRecord([name, 'shop', String(80 + index)]);
      bench.store.put(`config/services/${name}`, value);
      for (const [host, one] of ['a', 'b', 'c'].entries()) {
        bench.store.put(`config/services/${name}/reals/${one}`, { address: `10.0.1.${host + 1}`, weight: 1 });
      }
    }
    return bench.start();
  });
  const [quick, whole] = await Promise.all(both);
  if (quick === undefined || whole === undefined) throw new Error('there are two');
  return [quick, whole];
}

describe('what no edit touched', () => {
  it('is taken over, and nothing comes out otherwise than if all records were understood anew', async () => {
    let takenOver = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(edits, fc.boolean()), { minLength: 1, maxLength: 15 }), async (history) => {
        const [quick, whole] = await directors();
        for (const [{ path, value }, patient] of history) {
          const before = quick.intake.accepted();
          for (const { store } of [quick, whole]) {
            if (value === null) store.remove(`config/${path}`);
            else store.put(`config/${path}`, value);
          }
          await Promise.all([quick, whole].map((bench) => bench.pass(patient ? 1_000 : 0)));
          expect(quick.intake.accepted()).toEqual(whole.intake.accepted());
          expect(quick.intake.view()).toEqual(whole.intake.view());
          const after = quick.intake.accepted();
          if (after === before) continue;
          for (const name of ['s0', 's1', 's2']) {
            if (before?.services[name] === after?.services[name]) takenOver++;
          }
        }
        await Promise.all([quick.intake.stop(), whole.intake.stop()]);
      }),
      runs(15),
    );
    expect(takenOver).toBeGreaterThan(50);
  });
});
