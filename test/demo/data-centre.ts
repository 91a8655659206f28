import type { TopologySpec } from '../lab/topology.ts';
import { API_VIP, LAN, REALS, WEB_VIP, lanAddress } from './records.ts';

/**
 * A client behind a router, and behind the router one LAN with two directors, three reals, the store and the operator's
 * desk. The web service is by direct routing: the reals carry its VIP and answer the client themselves. The api
 * service is by NAT on the first director: what the reals send from port 8080 goes back through it. With nftables both
 * are by NAT, and both directors masquerade.
 */
export function dataCentre(): TopologySpec {
  const gateway = `default via ${lanAddress('router')}`;
  const lan = Object.fromEntries(Object.keys(LAN).map((host) => [host, `${lanAddress(host as keyof typeof LAN)}/24`]));
  const director = {
    router: true,
    routes: [gateway],
    sysctls: { 'net.ipv4.conf.all.send_redirects': 0, 'net.ipv4.conf.lan.send_redirects': 0 },
  };
  return {
    nodes: {
      client: { routes: ['default via 10.0.0.1'] },
      router: { router: true, sysctls: { 'net.ipv4.fib_multipath_hash_policy': 1 } },
      desk: { routes: [gateway] },
      store: { routes: [gateway] },
      lb1: director,
      lb2: director,
      ...Object.fromEntries(REALS.map((real) => [real, { routes: [gateway] }])),
    },
    segments: {
      access: { client: '10.0.0.2/24', router: '10.0.0.1/24' },
      lan,
    },
  };
}

/** The way back of the NAT service, on a real. */
export const NAT_RETURN = [
  `ip route add default via ${lanAddress('lb1')} table 100`,
  `ip route add 10.1.0.0/24 dev lan table 100`,
  `ip rule add ipproto 6 sport 8080 table 100`,
].join('\n');

/** What an operator of two directors with NAT adds on each, in a table that is not the agent's. */
export const MASQUERADE = `table ip operator {
  chain postrouting {
    type nat hook postrouting priority srcnat;
    ct status dnat masquerade
  }
}
`;

/** BIRD on the router: host routes from the agents into the kernel, equal ones side by side (ECMP). */
export function birdConfiguration(routerAsn: number, agentAsn: number): string {
  const agent = (name: 'lb1' | 'lb2'): string => `
protocol bgp ${name} {
  local ${lanAddress('router')} as ${routerAsn};
  neighbor ${lanAddress(name)} as ${agentAsn};
  hold time 9;
  graceful restart on;
  error wait time 1, 2;
  passive on;
  ipv4 { import filter { if net ~ [ ${WEB_VIP}/32, ${API_VIP}/32 ] then accept; reject; }; export none; };
}`;
  return `
log stderr all;
router id ${lanAddress('router')};
timeformat protocol iso long us;
protocol device {}
protocol kernel { merge paths on; ipv4 { import none; export all; }; }
${agent('lb1')}
${agent('lb2')}
`;
}
