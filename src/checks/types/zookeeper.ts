import type { Clock } from '../../core/ports.ts';
import { quoteFound } from '../../model/problem.ts';
import type { FieldProblem } from '../../model/validate.ts';
import { isRelativeZnodePath } from '../../model/znode-path.ts';
import { checkType } from '../definition.ts';
import { shortened } from '../outcome.ts';
import type { CheckDefinition } from '../port.ts';
import type { Endpoint, Prober } from '../prober.ts';
import type { OpenZnodes, Znode, ZnodeAnswer } from '../znodes.ts';

const MAX_PATH_LENGTH = 1_000;
const PLACEHOLDERS: readonly string[] = ['{address}', '{port}'];
/** Placeholders, known or not, and braces that are none. */
const BRACED = /\{[^{}]*\}|[{}]/g;

/** Where no port is in the path: one znode for all services of a real, those by firewall mark included. */
const ANY_PORT = 0;

interface ZookeeperDefinition extends CheckDefinition {
  readonly servers: readonly string[];
  readonly path: string;
}

/** A znode that is watched as long as its real is checked. */
interface Held {
  readonly path: string;
  znode: Promise<Znode>;
}

export const zookeeperCheck = checkType({
  type: 'zookeeper',
  summary:
    'Looks whether a znode exists in a ZooKeeper ensemble, for services whose processes register themselves, by ' +
    'ephemeral znodes as a rule. A success proves that the znode is there, and nothing about the real itself. An ' +
    'ensemble that cannot be asked, or does not answer before the timeout, proves nothing: the probe counts as not ' +
    'run. Each znode is asked for once and watched from then on; while nothing changes, probes are answered from ' +
    'memory and cost the ensemble nothing, whatever the interval. No credentials are sent: servers from 3.7.3, 3.8.4 ' +
    'and 3.9.2 on answer only where everybody may read the znode, and others always.',
  fields: ({ Type, zookeeperServers }) => ({
    servers: zookeeperServers({
      description:
        'Members of the ensemble, with their ports without TLS. It need not be the one that holds the records.',
    }),
    path: Type.Refine(
      Type.String({
        pattern: '^/.',
        maxLength: MAX_PATH_LENGTH,
        description:
          'The znode. "{address}" and "{port}" stand for where the real is probed; an IPv6 address is written ' +
          'without brackets, in its shortest form.',
        allowed:
          `the absolute path of a znode below the root, of at most ${MAX_PATH_LENGTH} characters, such as ` +
          '"/services/web/{address}:{port}"',
      }),
      (path) => isRelativeZnodePath(path.slice(1)),
      () => 'must be the path of a znode',
    ),
  }),
  example: {
    type: 'zookeeper',
    servers: ['zk1:2181', 'zk2:2181', 'zk3:2181'],
    path: '/services/web/{address}:{port}',
    interval: '1s',
  },
  problems: ({ path }) => placeholderProblems(path),
  define: ({ servers, path }) => ({ servers, path, ...(path.includes('{port}') ? {} : { port: ANY_PORT }) }),
  prober: (definition) => zookeeperProber(definition as ZookeeperDefinition),
});

function placeholderProblems(path: string): FieldProblem[] {
  const allowed = 'no braces but those of the placeholders "{address}" and "{port}"';
  const unknown = (path.match(BRACED) ?? []).filter((text) => !PLACEHOLDERS.includes(text));
  return [...new Set(unknown)].map((text) => ({ field: 'path', found: quoteFound(text), allowed }));
}

function pathFor(template: string, { address, port }: Endpoint): string {
  return template.replaceAll('{address}', address).replaceAll('{port}', String(port));
}

function zookeeperProber({ servers, path: template, timeoutMs }: ZookeeperDefinition): Prober {
  const held = new Map<Endpoint, Held>();
  const watch = (path: string, znodes: OpenZnodes): Promise<Znode> => {
    const znode = znodes().then((ensembles) => ensembles.watch(servers, path));
    // Whoever probes hears of it; until then it is nobody's error.
    znode.catch(() => undefined);
    return znode;
  };
  const hold: NonNullable<Prober['hold']> = (endpoint, { znodes }) => {
    const path = pathFor(template, endpoint);
    const known: Held = { path, znode: watch(path, znodes) };
    held.set(endpoint, known);
    return () => {
      held.delete(endpoint);
      void known.znode.then(
        (watched) => watched.release(),
        () => undefined,
      );
    };
  };
  /** What was missing, such as a descriptor to load the code with, may be there at the next probe. */
  const watched = async (endpoint: Endpoint, known: Held, znodes: OpenZnodes): Promise<Znode> => {
    try {
      return await known.znode;
    } catch (error) {
      if (held.get(endpoint) === known) known.znode = watch(known.path, znodes);
      throw error;
    }
  };
  const probe: Prober = async (endpoint, { clock, znodes }) => {
    const startedAt = clock.monotonic();
    const known = held.get(endpoint);
    if (known === undefined) return { kind: 'notRun', cause: 'the znode is not watched' };
    const { path } = known;
    const asked = (await watched(endpoint, known, znodes)).ask();
    const answer = asked instanceof Promise ? await inTime(asked, timeoutMs, clock) : asked;
    switch (answer.kind) {
      case 'exists':
        return { kind: 'success', cause: `found ${shortened(path)}`, latencyMs: clock.monotonic() - startedAt };
      case 'absent': {
        const cause = `there is no znode ${shortened(path)}`;
        return { kind: 'failure', cause, latencyMs: clock.monotonic() - startedAt, proof: 'answer' };
      }
      case 'unknown':
        return { kind: 'notRun', cause: shortened(answer.cause) };
    }
  };
  return Object.assign(probe, { hold });
}

function inTime(answer: Promise<ZnodeAnswer>, timeoutMs: number, clock: Clock): Promise<ZnodeAnswer> {
  return new Promise((resolve) => {
    const late = { kind: 'unknown', cause: `no answer from ZooKeeper within ${timeoutMs} ms` } as const;
    const cancel = clock.after(timeoutMs, () => resolve(late));
    void answer.then(resolve).finally(cancel);
  });
}
