import { describe, expect, it } from 'vitest';
import { eventually } from '../../lab/eventually.ts';
import { OK, answers, closedPort, probe, real, records } from './probing.ts';

const http = (port: number, record: Record<string, unknown> = {}) => probe({ type: 'http', ...record }, port);
const reply = (head: string, body = ''): string => `HTTP/1.1 ${head}\r\nContent-Length: ${body.length}\r\n\r\n${body}`;

describe('a real that answers', () => {
  it('with a wanted status is up', async () => {
    expect(await http(await real(answers(OK)))).toMatchObject({ kind: 'success', cause: '200' });
    const unauthorised = await real(answers(reply('401 Unauthorized')));
    expect(await http(unauthorised, { status: ['200', '400-403'] })).toMatchObject({ kind: 'success', cause: '401' });
  });

  it('with another status has failed', async () => {
    expect(await http(await real(answers(reply('503 Gone Fishing', 'maintenance'))))).toMatchObject({
      kind: 'failure',
      cause: 'status 503, wanted 200-299',
      proof: 'answer',
    });
  });

  it('with a redirect is not followed', async () => {
    const asked: string[] = [];
    const target = await real(records(asked, OK));
    const port = await real(
      answers(`HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:${target}/\r\nContent-Length: 0\r\n\r\n`),
    );
    expect(await http(port, { status: ['200-299', '301'] })).toMatchObject({
      cause: 'status 302, wanted 200-299, 301',
    });
    expect(await http(port, { status: ['302'] })).toMatchObject({ kind: 'success' });
    expect(asked).toEqual([]);
  });

  it('with 100 Continue first is judged by what follows', async () => {
    expect(await http(await real(answers(`HTTP/1.1 100 Continue\r\n\r\n${OK}`)))).toMatchObject({ cause: '200' });
  });

  it('with no body at all, or one that ends with the connection, is up', async () => {
    expect(await http(await real(answers('HTTP/1.1 204 No Content\r\n\r\n')))).toMatchObject({ cause: '204' });
    expect(await http(await real(answers('HTTP/1.0 200 OK\r\n\r\nold school')))).toMatchObject({ cause: '200' });
    const chunked = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n';
    expect(await http(await real(answers(chunked)))).toMatchObject({ cause: '200' });
    const head = await real(answers('HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n'));
    expect(await http(head, { method: 'HEAD' })).toMatchObject({ cause: '200' });
  });

  it('with a body without end is up after 64 KiB, and sends no more', async () => {
    let sent = 0;
    let closed = false;
    const port = await real((socket) => {
      socket.on('close', () => (closed = true));
      socket.once('data', () => {
        socket.write('HTTP/1.1 200 OK\r\n\r\n');
        const more = (): void => {
          while (!closed && socket.write(Buffer.alloc(16_384))) sent += 16_384;
          socket.once('drain', more);
        };
        more();
      });
    });
    expect(await http(port)).toMatchObject({ kind: 'success', cause: '200' });
    await eventually('the connection is closed', () => closed);
    expect(sent).toBeLessThan(64 * 1024 * 1024);
  });
});

describe('a real that misbehaves', () => {
  it.each([
    ['is no HTTP server', 'SSH-2.0-OpenSSH_9.2\r\n', /HPE_INVALID_CONSTANT/],
    ['sends a bad status line', 'HTTP/1.1 abc OK\r\n\r\n', /HPE_/],
    ['sends a header without end', `HTTP/1.1 200 OK\r\nX: ${'y'.repeat(64 * 1024)}`, /HPE_HEADER_OVERFLOW/],
    ['sends a bad chunk', 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n', /HPE_INVALID_CHUNK_SIZE/],
    ['sends two different lengths', 'HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab', /HPE_/],
  ])('and %s has failed by its answer', async (_what, bytes, cause) => {
    const outcome = await http(await real(answers(bytes)));
    expect(outcome).toMatchObject({ kind: 'failure', proof: 'answer' });
    expect(outcome.cause).toMatch(cause);
  });

  it('by refusing', async () => {
    const port = await closedPort();
    expect(await http(port)).toMatchObject({ cause: `connection refused by 127.0.0.1:${port}, while connecting` });
  });

  it('by closing without an answer', async () => {
    const port = await real((socket) => socket.once('data', () => socket.end()));
    expect(await http(port)).toMatchObject({
      kind: 'failure',
      cause: `connection closed by 127.0.0.1:${port}, waiting for the answer`,
    });
  });

  it('by resetting the connection', async () => {
    const port = await real((socket) => socket.once('data', () => socket.resetAndDestroy()));
    expect(await http(port)).toMatchObject({
      kind: 'failure',
      cause: `connection reset by 127.0.0.1:${port}, waiting for the answer`,
    });
  });

  it('by breaking off in the middle of the body', async () => {
    const port = await real(answers('HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf'));
    expect(await http(port)).toMatchObject({
      kind: 'failure',
      cause: `connection closed by 127.0.0.1:${port}, while reading the body`,
    });
  });

  it('by asking for an upgrade that nobody wanted', async () => {
    const port = await real(answers('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: Upgrade\r\n\r\n'));
    expect(await http(port)).toMatchObject({ cause: 'status 101, wanted 200-299' });
    expect(await http(port, { status: ['101'] })).toMatchObject({ kind: 'success' });
  });
});

describe('a real that is slow', () => {
  const hurried = { timeout: '400ms' };

  it('by never answering has failed', async () => {
    const port = await real((socket) => socket.resume());
    const outcome = await http(port, hurried);
    expect(outcome).toMatchObject({
      kind: 'failure',
      cause: `no answer from 127.0.0.1:${port} within 400 ms, waiting for the answer`,
      proof: 'absence',
    });
    expect(outcome.kind === 'failure' ? outcome.latencyMs : 0).toBeGreaterThanOrEqual(399);
  });

  it('by sending its header byte by byte has failed', async () => {
    const port = await real((socket) => {
      const bytes = Array.from(`HTTP/1.1 200 OK\r\nX-Slow: ${'y'.repeat(1_000)}`);
      const timer = setInterval(() => socket.write(bytes.shift() ?? 'z'), 5);
      socket.on('close', () => clearInterval(timer));
      socket.resume();
    });
    expect(await http(port, hurried)).toMatchObject({ kind: 'failure', proof: 'absence' });
  });

  it('by sending its body drop by drop has failed', async () => {
    const port = await real((socket) => {
      socket.once('data', () => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n'));
      const timer = setInterval(() => socket.write('z'), 20);
      socket.on('close', () => clearInterval(timer));
    });
    expect(await http(port, hurried)).toMatchObject({
      cause: `no answer from 127.0.0.1:${port} within 400 ms, while reading the body`,
    });
  });
});

describe('the request', () => {
  async function requestFor(
    record: Record<string, unknown>,
    address = '127.0.0.1',
  ): Promise<{ head: string; port: number }> {
    const heads: string[] = [];
    const port = await real(records(heads, 'HTTP/1.1 204 No Content\r\n\r\n'), address);
    expect(await probe({ type: 'http', ...record }, port, address)).toMatchObject({ kind: 'success' });
    return { head: heads[0] ?? '', port };
  }

  it('names the real unless the check names a host', async () => {
    const plain = await requestFor({});
    expect(plain.head.split('\r\n')[0]).toBe('GET / HTTP/1.1');
    expect(plain.head).toContain(`\r\nHost: 127.0.0.1:${plain.port}\r\n`);
    expect(plain.head).toContain('\r\nConnection: close\r\n');
    const six = await requestFor({}, '::1');
    expect(six.head).toContain(`\r\nHost: [::1]:${six.port}\r\n`);
    expect((await requestFor({ host: 'www.example.org' })).head).toContain('\r\nHost: www.example.org\r\n');
  });

  it('carries path, method and headers as they are given', async () => {
    const { head } = await requestFor({
      path: '/a?b=%20c#d',
      method: 'HEAD',
      headers: { 'X-Probe': 'one', 'User-Agent': 'mine' },
    });
    expect(head.split('\r\n')[0]).toBe('HEAD /a?b=%20c#d HTTP/1.1');
    expect(head).toContain('\r\nX-Probe: one\r\n');
    expect(head.match(/user-agent/gi)).toHaveLength(1);
    expect(head).toContain('\r\nUser-Agent: mine\r\n');
  });
});
