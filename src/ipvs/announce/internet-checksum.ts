/**
 * The Internet checksum (RFC 1071): the complement of the one's complement sum of all 16-bit words, a last odd byte
 * being the upper half of one. Over bytes that contain their checksum it is 0.
 */
export function internetChecksum(bytes: Uint8Array): number {
  let sum = 0;
  for (let at = 0; at < bytes.length; at += 2) {
    sum += ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
    // The carry comes back in at once.
    sum = (sum & 0xffff) + (sum >>> 16);
  }
  return ~sum & 0xffff;
}
