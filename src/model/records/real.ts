import Type from 'typebox';
import type { Static } from 'typebox';
import { choice, closedObject, hostAddress, integer, name, port } from '../fields.ts';
import { ADMIN_STATES, Forward } from './service.ts';

/** IP_VS weights are signed 32 bit; negative ones are refused. */
export const MAX_WEIGHT = 2_147_483_647;

export const RealRecord = closedObject(
  {
    address: hostAddress({ description: 'Where the real is.' }),
    port: Type.Optional(port({ description: "The real's port; absent = the service's port (NAT only may differ)." })),
    weight: integer(0, MAX_WEIGHT, { default: 1, description: 'Share of the traffic; 0 = no new connections.' }),
    state: choice(ADMIN_STATES, {
      default: 'enabled',
      description: 'enabled; drain = weight 0 until its connections are over, then out; disabled = taken out.',
    }),
    forward: Type.Optional(Forward),
    checks: Type.Optional(
      Type.Array(name({ description: 'The name of a check record.' }), {
        maxItems: 16,
        uniqueItems: true,
        description: "Checks instead of the service's.",
        allowed: 'a list of different names of checks',
      }),
    ),
    upperThreshold: integer(0, MAX_WEIGHT, {
      default: 0,
      description: 'No new connections above this number of them (uthreshold, -x); 0 = no limit.',
    }),
    lowerThreshold: integer(0, MAX_WEIGHT, {
      default: 0,
      description:
        'New connections again below this number (lthreshold, -y); 0 = three quarters of the upper threshold.',
    }),
  },
  { description: 'One real server of a service.' },
);
export type RealRecord = Static<typeof RealRecord>;
