import { formatEndpoint } from '../../model/address.ts';
import type { DataplaneOp, Forwarding, KernelDestination, KernelService, ServiceMatch } from '../dataplane.ts';

/*
 * Operations as lines of `ipvsadm --restore`, the format of ipvsadm-save(8). Every value was screened by the rules
 * before: names are plain words and numbers are whole, so nothing needs quoting.
 */

/** @returns null for what ipvsadm has no words for */
export function renderOp(op: DataplaneOp): string | null {
  switch (op.kind) {
    case 'addService':
      return `-A ${renderService(op.service)}`;
    case 'editService':
      return `-E ${renderService(op.service)}`;
    case 'deleteService':
      return `-D ${renderMatch(op.match)}`;
    case 'addDestination':
    case 'editDestination': {
      const options = renderDestination(op.destination);
      if (options === null) return null;
      return `${op.kind === 'addDestination' ? '-a' : '-e'} ${renderMatch(op.match)} ${options}`;
    }
    case 'deleteDestination':
      return `-d ${renderMatch(op.match)} -r ${formatEndpoint(op.address, op.port)}`;
  }
}

const PROTOCOL_OPTIONS = { tcp: '-t', udp: '-u', sctp: '--sctp-service' } as const;

function renderMatch(match: ServiceMatch): string {
  if (match.kind === 'fwmark') return `-f ${match.fwmark}${match.family === 'ipv6' ? ' -6' : ''}`;
  return `${PROTOCOL_OPTIONS[match.protocol]} ${formatEndpoint(match.address, match.port)}`;
}

function renderService(service: KernelService): string {
  const { match, persistence } = service;
  const words = [renderMatch(match), '-s', service.scheduler];
  if (persistence !== null) {
    const { timeoutSeconds, prefixLength } = persistence;
    words.push('-p', String(timeoutSeconds), '-M', match.family === 'ipv6' ? String(prefixLength) : mask(prefixLength));
  }
  if (service.persistenceEngine !== null) words.push('--pe', service.persistenceEngine);
  if (service.onePacket) words.push('-o');
  const flags = [1, 2, 3].filter((flag) => (service.schedulerFlags & (1 << (flag - 1))) !== 0);
  if (flags.length > 0) words.push('-b', flags.map((flag) => `flag-${flag}`).join(','));
  return words.join(' ');
}

function mask(prefixLength: number): string {
  const bits = prefixLength === 0 ? 0 : (0xffff_ffff << (32 - prefixLength)) >>> 0;
  return [24, 16, 8, 0].map((shift) => (bits >>> shift) & 0xff).join('.');
}

function renderDestination(destination: KernelDestination): string | null {
  const forwarding = renderForwarding(destination.forwarding);
  if (forwarding === null) return null;
  const { address, port, weight, upperThreshold, lowerThreshold } = destination;
  return `-r ${formatEndpoint(address, port)} ${forwarding} -w ${weight} -x ${upperThreshold} -y ${lowerThreshold}`;
}

const CHECKSUM_OPTIONS = { none: '--tun-nocsum', full: '--tun-csum', remote: '--tun-remcsum' } as const;

function renderForwarding(forwarding: Forwarding): string | null {
  switch (forwarding.method) {
    case 'nat':
      return '-m';
    case 'direct':
      return '-g';
    case 'local':
      return null;
    case 'tunnel': {
      const words = ['-i', '--tun-type', forwarding.type];
      if (forwarding.type === 'gue') words.push('--tun-port', String(forwarding.port));
      if (forwarding.type !== 'ipip') words.push(CHECKSUM_OPTIONS[forwarding.checksum]);
      return words.join(' ');
    }
  }
}
