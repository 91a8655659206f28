import { describe, expect, it } from 'vitest';
import { parsePrintUris } from '../../lab/apt.ts';

// Printed by `apt-get install --print-uris -y -qq` of Debian 12 (apt 2.6.1).
const PRINTED = `'http://deb.debian.org/debian/pool/main/b/bird2/bird2_2.0.12-7_amd64.deb' bird2_2.0.12-7_amd64.deb 752668 MD5Sum:36e836a3f73f302c0e060b8e43e91b03
'http://deb.debian.org/debian-security/pool/updates/main/libs/libssh/libssh-gcrypt-4_0.10.6-0%2bdeb12u3_amd64.deb' libssh-gcrypt-4_0.10.6-0+deb12u3_amd64.deb 221632 
'http://deb.debian.org/debian/pool/main/i/ipvsadm/ipvsadm_1.31-1%2bb1_amd64.deb' ipvsadm_1%3a1.31-1+b1_amd64.deb 41584 MD5Sum:3c1b0eada119e8878926c413e7f2b98f
`;

describe('the list of packages that apt would fetch', () => {
  it('has name, version with epoch, file name and size', () => {
    expect(parsePrintUris(PRINTED)).toEqual([
      { name: 'bird2', version: '2.0.12-7', file: 'bird2_2.0.12-7_amd64.deb', bytes: 752_668 },
      {
        name: 'libssh-gcrypt-4',
        version: '0.10.6-0+deb12u3',
        file: 'libssh-gcrypt-4_0.10.6-0+deb12u3_amd64.deb',
        bytes: 221_632,
      },
      { name: 'ipvsadm', version: '1:1.31-1+b1', file: 'ipvsadm_1%3a1.31-1+b1_amd64.deb', bytes: 41_584 },
    ]);
  });

  it('leaves out what is not a package line', () => {
    expect(parsePrintUris('Reading package lists...\nE: Unable to locate package nonesuch\n')).toEqual([]);
  });
});
