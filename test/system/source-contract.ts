import { afterAll, afterEach, beforeAll, beforeEach, describe } from 'vitest';
import type { Source, StoreClient } from '../../src/sources/source.ts';
import { eventually } from '../lab/eventually.ts';
import { describeOperators } from './contract-operators.ts';
import { describePublishing } from './contract-publishing.ts';
import { describeReading } from './contract-reading.ts';
import type { ContractServer, ContractStore } from './contract-store.ts';

/** What every store must do for the agent, whichever it is. Each test has an empty store and ends what it started. */
export function describeSourceContract(
  name: string,
  options: { readonly transactions: boolean },
  startServer: () => Promise<ContractServer>,
): void {
  describe(`${name} as a source`, () => {
    let server: ContractServer;
    let store: ContractStore;
    const sources: Source[] = [];
    const clients: StoreClient[] = [];

    beforeAll(async () => {
      server = await startServer();
    });
    afterAll(async () => {
      await server.close();
    });
    beforeEach(async () => {
      store = await server.fresh();
    });
    afterEach(async () => {
      await Promise.all(sources.splice(0).map((source) => source.close({ keepEphemeral: false })));
      await Promise.all(clients.splice(0).map((client) => client.close()));
    });

    const prepare = (): Source => {
      const source = store.source();
      sources.push(source);
      return source;
    };
    const connect = async (source = prepare()): Promise<Source> => {
      source.start();
      await eventually('connected', () => source.state().kind === 'connected');
      return source;
    };
    const client = (): StoreClient => {
      const made = store.client();
      clients.push(made);
      return made;
    };

    const fixture = {
      transactions: options.transactions,
      server: () => server,
      store: () => store,
      prepare,
      connect,
      client,
    };
    describeReading(fixture);
    describePublishing(fixture);
    describeOperators(fixture);
  });
}
