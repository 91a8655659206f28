/** How many services, and how many reals each has. */
export interface FleetSize {
  readonly services: number;
  readonly reals: number;
}

export const TEN_THOUSAND: FleetSize = { services: 100, reals: 100 };

export interface FleetOptions extends FleetSize {
  /** Where the reals of all services listen. */
  readonly port: number;
  /** First half of their addresses, "10.0" or "127.1": the service and the real make up the rest. */
  readonly network: string;
}

/**
 * A configuration as operators write it: path under the root → JSON. One record per VIP, service and real, one check
 * for all, and the settings of all agents; the dataplane is the one that touches no kernel.
 */
export function fleet(options: FleetOptions): Map<string, string> {
  const records = new Map<string, unknown>([
    ['config/agents/_default', { dataplane: 'memory', labels: { pool: 'edge' } }],
    ['config/checks/tcp-ok', { type: 'tcp', interval: '2s', timeout: '1s' }],
  ]);
  for (let service = 0; service < options.services; service++) {
    const vip = `vip-${service}`;
    records.set(`config/vips/${vip}`, { addresses: [`203.0.113.${service}`], advertise: { when: 'any', med: 50 } });
    records.set(`config/services/web-${service}`, {
      vip,
      match: { ports: ['443'], protocols: ['tcp'] },
      scheduler: 'wlc',
      forward: 'nat',
      checks: ['tcp-ok'],
      health: { rise: 2, fall: 3, whenDown: 'quiesce', floor: 0.5 },
      quorum: { weight: 100, hysteresis: 10 },
      _meta: { owner: 'team-web', ticket: 'CHG-1234' },
    });
    for (let real = 0; real < options.reals; real++)
      records.set(realPath(service, real), realRecord(options, service, real));
  }
  return new Map([...records].map(([path, record]) => [path, JSON.stringify(record)]));
}

export function realPath(service: number, real: number): string {
  return `config/services/web-${service}/reals/real-${real}`;
}

export function realRecord({ network, port }: FleetOptions, service: number, real: number, weight = 10): object {
  const address = `${network}.${service}.${real + 1}`;
  return { address, port, weight, state: 'enabled', _meta: { owner: 'team-web' } };
}
