import { execFileSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { eventually } from '../../lab/eventually.ts';
import { closedPort, probe, real } from './probing.ts';

/** How many connections the kernel keeps in TIME_WAIT towards a port: our end closed first, in order. */
function timeWaitTowards(port: number): number {
  const hex = port.toString(16).toUpperCase().padStart(4, '0');
  const table = execFileSync('cat', ['/proc/net/tcp'], { encoding: 'utf8' });
  // Columns of /proc/net/tcp: slot, local, remote, state; 06 is TCP_TIME_WAIT (include/net/tcp_states.h).
  return table.split('\n').filter((line) => line.trim().split(/\s+/)[2]?.endsWith(`:${hex}`) && / 06 /.test(line))
    .length;
}

describe('a real that', () => {
  it('accepts is up', async () => {
    const port = await real(() => undefined);
    const outcome = await probe({ type: 'tcp' }, port);
    expect(outcome).toMatchObject({ kind: 'success', cause: 'connected' });
  });

  it('accepts at another address than its own is not up', async () => {
    const port = await real(() => undefined);
    expect(await probe({ type: 'tcp' }, port, '127.0.0.2')).toMatchObject({ kind: 'failure' });
  });

  it('refuses has failed', async () => {
    const port = await closedPort();
    expect(await probe({ type: 'tcp' }, port)).toMatchObject({
      kind: 'failure',
      cause: `connection refused by 127.0.0.1:${port}, while connecting`,
      proof: 'answer',
    });
  });

  it('answers over IPv6 is up', async () => {
    const port = await real(() => undefined, '::1');
    expect(await probe({ type: 'tcp' }, port, '::1')).toMatchObject({ kind: 'success' });
    const closed = await closedPort('::1');
    expect(await probe({ type: 'tcp' }, closed, '::1')).toMatchObject({
      cause: expect.stringContaining('[::1]') as string,
    });
  });
});

describe('the connection', () => {
  it.each([
    ['rst', 'ECONNRESET'],
    ['fin', 'end'],
  ])('is closed by %s', async (close, wanted) => {
    const ends: string[] = [];
    const port = await real((socket) => {
      socket.resume();
      socket.on('error', (error: NodeJS.ErrnoException) => ends.push(error.code ?? 'error'));
      socket.on('end', () => {
        ends.push('end');
        socket.end();
      });
    });
    await probe({ type: 'tcp', close }, port);
    await eventually('the real saw the end', () => ends.length > 0);
    expect(ends).toEqual([wanted]);
    if (close === 'rst') expect(timeWaitTowards(port)).toBe(0);
    else await eventually('the director remembers it', () => timeWaitTowards(port) === 1);
  });
});

describe('an address that this host', () => {
  it('cannot reach from here is not judged', async () => {
    // RFC 5737 and RFC 3849 addresses would go to a router; these cannot even be sent.
    expect(await probe({ type: 'tcp' }, 80, '255.255.255.255')).toMatchObject({ kind: 'notRun' });
    expect(await probe({ type: 'tcp' }, 80, 'ff02::1')).toMatchObject({ kind: 'notRun' });
  });
});
