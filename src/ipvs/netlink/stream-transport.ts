import { closeSync } from 'node:fs';
import { connect, Socket } from 'node:net';
import type { OnReadOpts, SocketConstructorOpts } from 'node:net';
import { CodedError } from '../../core/errors.ts';
import { err, ok } from '../../core/result.ts';
import type { Result } from '../../core/result.ts';
import { openNetlinkFd, RECEIVE_BUFFER_BYTES } from './socket.ts';
import type { OpenTransport, TransportEvents } from './transport.ts';

/**
 * The largest datagram that is taken whole. The kernel sizes the parts of a dump by the reader's buffer, up to 32 kB
 * (netlink_dump in net/netlink/af_netlink.c).
 */
const DATAGRAM_BYTES = 64 * 1024;

/** libuv's pipe, as Node wraps it. It takes any stream-like descriptor, where net.Socket({ fd }) wants a known kind. */
interface PipeHandle {
  open(fd: number): number;
}
type PipeConstructor = new (type: number) => PipeHandle;

interface HandleSocketOptions extends SocketConstructorOpts {
  readonly handle: PipeHandle;
  readonly onread: OnReadOpts;
}

/**
 * A netlink socket as a Node stream over a pipe handle: driven by epoll, one read per datagram into one buffer that is
 * used again. The pipe's class is not a documented interface, so `chooseTransport` tries it before it is relied on.
 */
export function streamTransport(protocol: number, receiveBufferBytes = RECEIVE_BUFFER_BYTES): OpenTransport {
  return (events) => {
    const Pipe = pipeClass();
    if (Pipe === undefined) return err(new CodedError('NETLINK_UNAVAILABLE', 'this Node has no pipe handle'));
    const fd = openNetlinkFd(protocol, receiveBufferBytes);
    if (!fd.ok) return fd;
    return socketOver(Pipe, fd.value, events);
  };
}

function socketOver(Pipe: PipeConstructor, fd: number, events: TransportEvents): ReturnType<OpenTransport> {
  const wrapped = wrap(Pipe, fd, events);
  if (!wrapped.ok) {
    closeSync(fd);
    return wrapped;
  }
  const socket = wrapped.value;
  let over = false;
  const fail = (text: string, cause?: unknown): void => {
    if (over) return;
    over = true;
    socket.destroy();
    events.onFailure(new CodedError('NETLINK_LOST', text, { cause, transient: true }));
  };
  socket.on('error', (error: NodeJS.ErrnoException) => {
    const overrun = error.code === 'ENOBUFS' ? ': the receive buffer overran' : '';
    fail(`the netlink socket broke with ${error.code ?? error.message}${overrun}`, error);
  });
  socket.on('close', () => {
    fail('the netlink socket closed');
  });
  return ok({
    send: (datagram) => {
      if (!over) socket.write(datagram);
    },
    close: () => {
      over = true;
      socket.destroy();
    },
  });
}

function wrap(Pipe: PipeConstructor, fd: number, events: TransportEvents): Result<Socket, CodedError> {
  try {
    const handle = new Pipe(0);
    const code = handle.open(fd);
    if (code !== 0) throw new Error(`the pipe handle refused the socket (${code})`);
    const options: HandleSocketOptions = {
      handle,
      readable: true,
      writable: true,
      onread: {
        buffer: Buffer.alloc(DATAGRAM_BYTES),
        callback: (length, buffer) => {
          events.onDatagram(buffer.subarray(0, length));
          return true;
        },
      },
    };
    return ok(new Socket(options));
  } catch (cause) {
    return err(new CodedError('NETLINK_UNAVAILABLE', 'a stream over the netlink socket could not be made', { cause }));
  }
}

/** The class of the handle under a pipe's socket; connecting need not succeed for it. */
function pipeClass(): PipeConstructor | undefined {
  const probe: Socket & { readonly _handle?: unknown } = connect('/nonexistent');
  probe.on('error', () => undefined);
  const handle = probe._handle;
  probe.destroy();
  if (typeof handle !== 'object' || handle === null) return undefined;
  const constructor: unknown = handle.constructor;
  return typeof constructor === 'function' ? (constructor as PipeConstructor) : undefined;
}
