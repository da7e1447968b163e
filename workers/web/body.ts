/** Reads the raw body of a request, within limits of size, of time, and of what all requests hold together. */
import type { IncomingMessage } from 'node:http';

/** The least patient provider breaks off after 5 s. */
const BODY_MS_MAX = 5_000;
/** Of all requests that are being read or stored. */
const HELD_BYTES_MAX = 128 * 1024 * 1024;
/** What those of one address hold of it at most, so that who knows one shuts no other out. */
const SHARE_OF_ONE = 1 / 4;
/** What is held before it is known how much comes: whatever a request announces, only what it sends costs memory. */
const FIRST_BYTES = 16 * 1024;

export type BodyFault = 'too_large' | 'too_slow' | 'cut_off' | 'busy';

/** The body, and what gives its bytes back to the others. */
export type Read = Disposable & { body: Buffer };

/** `of`: the address that it is sent to. */
export type BodyReader = (
  incoming: IncomingMessage,
  bytesMax: number,
  of: string,
) => Promise<Read | BodyFault>;

export function makeBodyReader(heldMax = HELD_BYTES_MAX, msMax = BODY_MS_MAX): BodyReader {
  let held = 0;
  const heldOf = new Map<string, number>();
  const take = (of: string, more: number): boolean => {
    const ofOne = (heldOf.get(of) ?? 0) + more;
    held += more;
    if (ofOne > 0) heldOf.set(of, ofOne);
    else heldOf.delete(of);
    return held <= heldMax && ofOne <= heldMax * SHARE_OF_ONE;
  };
  return async (incoming, bytesMax, of) => {
    if (Number(incoming.headers['content-length'] ?? 0) > bytesMax) return 'too_large';
    const gathered = gather(bytesMax, (more) => take(of, more));
    const fault = await new Promise<BodyFault | undefined>((resolve) => {
      const timer = setTimeout(() => resolve('too_slow'), msMax);
      const end = (how?: BodyFault) => {
        clearTimeout(timer);
        resolve(how);
      };
      incoming.on('data', (chunk: Buffer) => {
        const refusal = gathered.add(chunk);
        if (refusal !== undefined) end(refusal);
      });
      incoming.once('end', () => end());
      incoming.once('error', () => end('cut_off'));
      incoming.once('close', () => end('cut_off')); // after `end` it says nothing new
    });
    incoming.removeAllListeners('data');
    const release = () => {
      take(of, -gathered.held());
    };
    if (fault === undefined) return { body: gathered.body(), [Symbol.dispose]: release };
    incoming.pause();
    release();
    return fault;
  };
}

/**
 * One buffer that grows, and not a list of chunks: a sender decides how small they are, and each of a byte would cost a
 * hundred. `take` asks for so many bytes more.
 */
function gather(bytesMax: number, take: (more: number) => boolean) {
  let buffer = Buffer.alloc(0);
  let bytes = 0;
  let refusal: BodyFault | undefined;

  const grow = (needed: number): boolean => {
    const size = Math.min(bytesMax, Math.max(needed, 2 * buffer.length, FIRST_BYTES));
    const larger = Buffer.allocUnsafe(size);
    const may = take(size - buffer.length);
    buffer.copy(larger, 0, 0, bytes);
    buffer = larger;
    return may;
  };

  return {
    add(chunk: Buffer): BodyFault | undefined {
      if (refusal !== undefined) return refusal;
      const needed = bytes + chunk.length;
      if (needed > bytesMax) refusal = 'too_large';
      else if (needed > buffer.length && !grow(needed)) refusal = 'busy';
      if (refusal !== undefined) return refusal;
      chunk.copy(buffer, bytes);
      bytes = needed;
      return undefined;
    },
    body: () => buffer.subarray(0, bytes),
    held: () => buffer.length,
  };
}
