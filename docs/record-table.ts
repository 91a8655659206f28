import { AgentSettings } from '../src/model/records/agent.ts';
import { ApprovalRecord, DrainRecord } from '../src/model/records/drain.ts';
import { RealRecord } from '../src/model/records/real.ts';
import { ServiceRecord } from '../src/model/records/service.ts';
import { VipRecord } from '../src/model/records/vip.ts';
import { RECORD_EXAMPLES } from './record-examples.ts';

export interface RecordPage {
  readonly path: string;
  readonly title: string;
  readonly intro: string;
  /** null = described on a page of its own. */
  readonly schema: object | null;
  /** Name of the JSON Schema file; null = none of its own. */
  readonly file: string | null;
  readonly examples: readonly (readonly [path: string, value: unknown])[];
}

function examplesUnder(pattern: RegExp): RecordPage['examples'] {
  return Object.entries(RECORD_EXAMPLES).filter(([path]) => pattern.test(path));
}

/** What operators may write, in the order of the reference. */
export const RECORDS: readonly RecordPage[] = [
  {
    path: 'config/vips/VIP',
    title: 'a VIP',
    intro: `Addresses that are advertised together. A VIP is put on its interface and announced when one of its services is on the
agent; \`advertise.when\` says how the quorum of its services counts.`,
    schema: VipRecord,
    file: 'vip',
    examples: examplesUnder(/^config\/vips\//),
  },
  {
    path: 'config/services/SERVICE',
    title: 'a service',
    intro: `A virtual service on a VIP. It becomes one kernel service for each address, port and protocol (ranges are expanded,
4,096 at most). Reals are matched to an address by family; a mix only works in tunnel mode. What is not NAT keeps the
port of the service.

Quorum counts configured weights (or the number) of reals that are up and not drained. It is gained at q+h and lost
below q-h. The state of a real is decided in this order: disabled, drain, verdict, floor.

What keepalived.conf and ipvsadm call each of the fields is in [ipvs.md](../ipvs.md).`,
    schema: ServiceRecord,
    file: 'service',
    examples: examplesUnder(/^config\/services\/[^/]+$/),
  },
  {
    path: 'config/services/SERVICE/reals/REAL',
    title: 'a real',
    intro: `One real server. Two reals of a service with the same target are a problem; renaming one writes nothing to the kernel
and keeps its verdict.`,
    schema: RealRecord,
    file: 'real',
    examples: examplesUnder(/\/reals\/a$/),
  },
  {
    path: 'config/checks/CHECK',
    title: 'a check',
    intro:
      'A named check, for any number of services and reals. The fields depend on its type: see [checks.md](checks.md).',
    schema: null,
    file: null,
    examples: examplesUnder(/^config\/checks\//),
  },
  {
    path: 'config/agents/AGENT',
    title: 'settings of an agent',
    intro: `Settings of one agent, merged over \`config/agents/_default\` as a JSON Merge Patch (RFC 7396: objects are merged,
\`null\` deletes, everything else replaces). They are validated after the merge. Both records may be absent.`,
    schema: AgentSettings,
    file: 'agent',
    examples: examplesUnder(/^config\/agents\//),
  },
  {
    path: 'config/drains/DRAIN',
    title: 'a drain',
    intro: `A wish to take something out of service gently: new connections go elsewhere, old ones may end. It does not count as a
change of the configuration, so neither the revision nor the guard see it.`,
    schema: DrainRecord,
    file: 'drain',
    examples: examplesUnder(/^config\/drains\//),
  },
  {
    path: 'config/approvals/REVISION',
    title: 'an approval',
    intro: `Releases the change that the guard holds at this revision: the 64 hexadecimal digits of it, with or without
\`sha256:\` before them. \`vipkeeper status\` prints the command. An approval of another revision does nothing.`,
    schema: ApprovalRecord,
    file: 'approval',
    examples: examplesUnder(/^config\/approvals\//),
  },
];
