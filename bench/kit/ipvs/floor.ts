import { closeSync, readSync, writeSync } from 'node:fs';
import { ByteWriter } from '../../../src/core/bytes.ts';
import { systemClock } from '../../../src/core/system-clock.ts';
import { IPVS_FAMILY } from '../../../src/ipvs/attributes.ts';
import { NetlinkClient } from '../../../src/ipvs/netlink/client.ts';
import {
  NETLINK_GENERIC,
  NLM_F_ACK,
  NLM_F_DUMP,
  NLM_F_REQUEST,
  NLMSG_DONE,
} from '../../../src/ipvs/netlink/constants.ts';
import { resolveFamily } from '../../../src/ipvs/netlink/family.ts';
import { writeMessage } from '../../../src/ipvs/netlink/message.ts';
import { openNetlinkFd, RECEIVE_BUFFER_BYTES } from '../../../src/ipvs/netlink/socket.ts';
import { IpvsRequests } from '../../../src/ipvs/requests.ts';
import { freshNamespace, openTransport } from './surroundings.ts';
import { fullPlan, serviceNumber, SERVICES } from './workload.ts';

/*
 * What the kernel takes for itself, with nothing around it: messages that were made beforehand, answers that nobody
 * looks into. No program that speaks generic netlink can be faster.
 */

const BATCH = 64;

export interface Floor {
  /** The whole plan into an empty kernel. */
  readonly writeMs: number;
  /** Every destination read, service by service. */
  readonly readMs: number;
}

export async function floorRound(): Promise<Floor> {
  await freshNamespace();
  const client = new NetlinkClient({ open: openTransport, clock: systemClock });
  const family = await resolveFamily(client, IPVS_FAMILY);
  await client.close();
  if (!family.ok || family.value === null) throw new Error('the kernel does not know IPVS');
  const requests = new IpvsRequests(family.value);
  const plan = batchesOf(requests);
  const dumps = dumpsOf(requests);
  const opened = openNetlinkFd(NETLINK_GENERIC, RECEIVE_BUFFER_BYTES);
  if (!opened.ok) throw opened.error;
  const { fd } = opened.value;
  const buffer = Buffer.alloc(64 * 1_024);
  const start = performance.now();
  for (const batch of plan) {
    writeSync(fd, batch);
    readSync(fd, buffer);
  }
  const between = performance.now();
  for (const dump of dumps) {
    writeSync(fd, dump);
    // NLMSG_DONE comes in a datagram of its own.
    do readSync(fd, buffer);
    while (buffer.readUInt16LE(4) !== NLMSG_DONE);
  }
  const end = performance.now();
  closeSync(fd);
  return { writeMs: between - start, readMs: end - between };
}

function batchesOf(requests: IpvsRequests): Uint8Array[] {
  const ops = fullPlan();
  const batches: Uint8Array[] = [];
  for (let at = 0; at < ops.length; at += BATCH) {
    const writer = new ByteWriter();
    const batch = ops.slice(at, at + BATCH);
    for (const [index, op] of batch.entries()) {
      const flags = index === batch.length - 1 ? NLM_F_REQUEST | NLM_F_ACK : NLM_F_REQUEST;
      writeMessage(writer, requests.carryOut(op), flags, at + index + 1);
    }
    batches.push(writer.finish());
  }
  return batches;
}

function dumpsOf(requests: IpvsRequests): Uint8Array[] {
  return Array.from({ length: SERVICES }, (_, service) => {
    const writer = new ByteWriter();
    const request = requests.destinationsOf(serviceNumber(service).match);
    writeMessage(writer, request, NLM_F_REQUEST | NLM_F_DUMP, service + 1);
    return writer.finish();
  });
}
