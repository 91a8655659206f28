import type {
  DataplaneOp,
  Forwarding,
  KernelDestination,
  KernelService,
  ServiceMatch,
} from '../../src/ipvs/dataplane.ts';
import type { Protocol } from '../../src/ipvs/dataplane.ts';
import { familyOf, parseAddress } from '../../src/model/address.ts';
import type { IpAddress } from '../../src/model/address.ts';

/** An address that the test means to be one. */
export function address(text: string): IpAddress {
  const parsed = parseAddress(text);
  if (parsed === undefined) throw new Error(`${text} is not an address`);
  return parsed;
}

/** `match('tcp', '192.0.2.1', 80)` */
export function match(protocol: Protocol, text: string, port: number): ServiceMatch {
  const parsed = address(text);
  return { kind: 'address', family: familyOf(parsed), protocol, address: parsed, port };
}

export function fwmark(mark: number, family: 'ipv4' | 'ipv6'): ServiceMatch {
  return { kind: 'fwmark', family, fwmark: mark };
}

export function service(of: ServiceMatch, fields: Partial<KernelService> = {}): KernelService {
  return {
    match: of,
    scheduler: 'wlc',
    schedulerFlags: 0,
    onePacket: false,
    persistence: null,
    persistenceEngine: null,
    ...fields,
  };
}

export function real(text: string, port: number, fields: Partial<KernelDestination> = {}): KernelDestination {
  return {
    address: address(text),
    port,
    weight: 1,
    forwarding: { method: 'nat' },
    upperThreshold: 0,
    lowerThreshold: 0,
    ...fields,
  };
}

export const tunnel = (
  type: 'ipip' | 'gue' | 'gre',
  port = 0,
  checksum: 'none' | 'full' | 'remote' = 'none',
): Forwarding => ({ method: 'tunnel', type, port, checksum });

export const addService = (of: KernelService): DataplaneOp => ({ kind: 'addService', service: of });
export const editService = (of: KernelService): DataplaneOp => ({ kind: 'editService', service: of });
export const deleteService = (of: ServiceMatch): DataplaneOp => ({ kind: 'deleteService', match: of });
export const addReal = (of: ServiceMatch, destination: KernelDestination): DataplaneOp => ({
  kind: 'addDestination',
  match: of,
  destination,
});
export const editReal = (of: ServiceMatch, destination: KernelDestination): DataplaneOp => ({
  kind: 'editDestination',
  match: of,
  destination,
});
export const deleteReal = (of: ServiceMatch, text: string, port: number): DataplaneOp => ({
  kind: 'deleteDestination',
  match: of,
  address: address(text),
  port,
});

/** `ipvsadm --save --numeric` is compared line by line; each sample says how it must read there. */
export interface Sample<T> {
  readonly value: T;
  readonly saved: string;
}

export const WEB = match('tcp', '192.0.2.1', 80);
export const WEB6 = match('tcp', '2001:db8::1', 80);
export const DNS = match('udp', '192.0.2.1', 53);

/** Every scheduler that Debian's 6.1 kernel has, so also the lab's; `twos` is newer in its packages. */
export const LAB_SCHEDULERS = ['rr', 'wrr', 'lc', 'wlc', 'lblc', 'lblcr', 'dh', 'sh', 'sed', 'nq', 'fo', 'ovf', 'mh'];

export const SERVICES: readonly Sample<KernelService>[] = [
  ...LAB_SCHEDULERS.map((scheduler, index) => ({
    value: service(match('tcp', `192.0.2.${100 + index}`, 80), { scheduler }),
    saved: `-A -t 192.0.2.${100 + index}:80 -s ${scheduler}`,
  })),
  { value: service(DNS, { onePacket: true, scheduler: 'rr' }), saved: '-A -u 192.0.2.1:53 -s rr -o' },
  { value: service(match('sctp', '192.0.2.1', 53)), saved: '-A --sctp-service 192.0.2.1:53 -s wlc' },
  { value: service(WEB6), saved: '-A -t [2001:db8::1]:80 -s wlc' },
  { value: service(match('udp', '2001:db8::1', 53)), saved: '-A -u [2001:db8::1]:53 -s wlc' },
  { value: service(match('sctp', '2001:db8::1', 53)), saved: '-A --sctp-service [2001:db8::1]:53 -s wlc' },
  { value: service(fwmark(7, 'ipv4')), saved: '-A -f 7 -s wlc' },
  { value: service(fwmark(7, 'ipv6'), { scheduler: 'rr' }), saved: '-A -f 7 -6 -s rr' },
  // ipvsadm prints marks as signed numbers.
  { value: service(fwmark(4_294_967_295, 'ipv4')), saved: '-A -f -1 -s wlc' },
  {
    value: service(match('tcp', '192.0.2.2', 80), { scheduler: 'sh', schedulerFlags: 3 }),
    saved: '-A -t 192.0.2.2:80 -s sh -b sh-fallback,sh-port',
  },
  {
    value: service(match('tcp', '192.0.2.3', 80), { scheduler: 'mh', schedulerFlags: 2 }),
    saved: '-A -t 192.0.2.3:80 -s mh -b mh-port',
  },
  {
    value: service(match('tcp', '192.0.2.4', 80), { scheduler: 'rr', schedulerFlags: 5 }),
    saved: '-A -t 192.0.2.4:80 -s rr -b flag-1,flag-3',
  },
  {
    value: service(match('tcp', '192.0.2.5', 0), { persistence: { timeoutSeconds: 360, prefixLength: 24 } }),
    saved: '-A -t 192.0.2.5:0 -s wlc -p 360 -M 255.255.255.0',
  },
  {
    value: service(match('tcp', '192.0.2.6', 80), { persistence: { timeoutSeconds: 1, prefixLength: 32 } }),
    saved: '-A -t 192.0.2.6:80 -s wlc -p 1',
  },
  {
    value: service(match('tcp', '2001:db8::6', 80), { persistence: { timeoutSeconds: 300, prefixLength: 64 } }),
    saved: '-A -t [2001:db8::6]:80 -s wlc -p 300 -M 64',
  },
  {
    value: service(fwmark(8, 'ipv6'), { persistence: { timeoutSeconds: 86_400, prefixLength: 128 } }),
    saved: '-A -f 8 -6 -s wlc -p 86400',
  },
  {
    value: service(match('udp', '192.0.2.7', 5060), {
      onePacket: true,
      persistence: { timeoutSeconds: 60, prefixLength: 32 },
      persistenceEngine: 'sip',
    }),
    saved: '-A -u 192.0.2.7:5060 -s wlc -p 60 --pe sip -o',
  },
];

/** Reals of WEB (an IPv4 service on port 80). */
export const REALS: readonly Sample<KernelDestination>[] = [
  { value: real('10.0.0.1', 8080, { weight: 5 }), saved: '10.0.0.1:8080 -m -w 5' },
  { value: real('10.0.0.1', 8081, { weight: 0 }), saved: '10.0.0.1:8081 -m -w 0' },
  { value: real('10.0.0.2', 80, { weight: 2_147_483_647 }), saved: '10.0.0.2:80 -m -w 2147483647' },
  {
    value: real('10.0.0.3', 80, { upperThreshold: 2_147_483_647, lowerThreshold: 50 }),
    saved: '10.0.0.3:80 -m -w 1',
  },
  { value: real('10.0.1.1', 80, { forwarding: { method: 'direct' } }), saved: '10.0.1.1:80 -g -w 1' },
  { value: real('10.0.2.1', 80, { forwarding: tunnel('ipip') }), saved: '10.0.2.1:80 -i -w 1 --tun-type ipip' },
  {
    value: real('10.0.2.2', 80, { forwarding: tunnel('gue', 6080) }),
    saved: '10.0.2.2:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum',
  },
  {
    value: real('10.0.2.3', 80, { forwarding: tunnel('gue', 65_535, 'full') }),
    saved: '10.0.2.3:80 -i -w 1 --tun-type gue --tun-port 65535 --tun-csum',
  },
  {
    value: real('10.0.2.4', 80, { forwarding: tunnel('gue', 6080, 'remote') }),
    saved: '10.0.2.4:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-remcsum',
  },
  {
    value: real('10.0.2.5', 80, { forwarding: tunnel('gre') }),
    saved: '10.0.2.5:80 -i -w 1 --tun-type gre --tun-nocsum',
  },
  {
    value: real('10.0.2.6', 80, { forwarding: tunnel('gre', 0, 'full') }),
    saved: '10.0.2.6:80 -i -w 1 --tun-type gre --tun-csum',
  },
  {
    value: real('2001:db8:1::2', 80, { forwarding: tunnel('ipip') }),
    saved: '[2001:db8:1::2]:80 -i -w 1 --tun-type ipip',
  },
];

/** Reals of WEB6. */
export const REALS6: readonly Sample<KernelDestination>[] = [
  { value: real('2001:db8:2::1', 8080, { weight: 5 }), saved: '[2001:db8:2::1]:8080 -m -w 5' },
  { value: real('2001:db8:2::2', 80, { forwarding: { method: 'direct' } }), saved: '[2001:db8:2::2]:80 -g -w 1' },
  {
    value: real('2001:db8:2::3', 80, { forwarding: tunnel('gue', 6080) }),
    saved: '[2001:db8:2::3]:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-nocsum',
  },
  { value: real('10.0.3.1', 80, { forwarding: tunnel('ipip') }), saved: '10.0.3.1:80 -i -w 1 --tun-type ipip' },
];
