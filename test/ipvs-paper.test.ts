import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const text = (path: string): string => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');
const paper = text('docs/ipvs.md');

/** Fields of a record by the reference, which is made from the schemas. */
function fieldsOf(record: string): ReadonlySet<string> {
  const [, section = ''] = text('docs/reference/records.md').split(`\n## \`${record}\`\n`);
  const [own = ''] = section.split('\n## ');
  return new Set(Array.from(own.matchAll(/^\| `([^`]+)` \|/gm), ([, field = '']) => field));
}

const RECORDS: Readonly<Record<string, ReadonlySet<string>>> = {
  VIP: fieldsOf('config/vips/VIP'),
  service: fieldsOf('config/services/SERVICE'),
  real: fieldsOf('config/services/SERVICE/reals/REAL'),
  agent: fieldsOf('config/agents/AGENT'),
};

/** "service `a`, `b`, real `c`; others": each name of a record holds up to the next one or a semicolon. */
function fieldsIn(cell: string): (readonly [record: string, field: string])[] {
  let record: string | undefined;
  const found: (readonly [string, string])[] = [];
  for (const [token, name, field] of cell.matchAll(/(VIP|service|real|agent)(?= `)|`([a-z][A-Za-z.]+)`|;/g)) {
    if (field === undefined) record = token === ';' ? undefined : name;
    else if (record !== undefined) found.push([record, field]);
  }
  return found;
}

describe('the paper on IPVS', () => {
  const mentioned = paper
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .flatMap((line) => fieldsIn(line.split('|').at(-2) ?? ''));

  it('names fields that there are', () => {
    expect(mentioned.length).toBeGreaterThan(25);
    for (const [record, field] of mentioned) expect(RECORDS[record], `${record} ${field}`).toContain(field);
  });

  it('leaves out no attribute of a service or a real', () => {
    const named = new Set(mentioned.map(([record, field]) => `${record} ${field}`));
    const attributes = {
      service: [
        ...[
          'match.ports',
          'match.protocols',
          'match.fwmark',
          'match.families',
          'scheduler',
          'schedulerFlags',
          'forward',
        ],
        ...['onePacket', 'persistence.timeout', 'persistence.mask', 'persistence.prefixLength', 'persistence.engine'],
      ],
      real: ['address', 'port', 'weight', 'forward', 'upperThreshold', 'lowerThreshold', 'state'],
    };
    for (const [record, fields] of Object.entries(attributes)) {
      for (const field of fields) expect(named).toContain(`${record} ${field}`);
    }
  });
});
