/** Reads the raw body of a request, within limits of size, of time, and of what all requests hold together. */
import type { IncomingMessage } from 'node:http';

/** The least patient provider breaks off after 5 s. */
const BODY_MS_MAX = 5_000;
/** Of all requests that are being read or stored. */
const HELD_BYTES_MAX = 256 * 1024 * 1024;

export type BodyFault = 'too_large' | 'too_slow' | 'cut_off' | 'busy';

/** The body, and what gives its bytes back to the others. */
export type Read = Disposable & { body: Buffer };

export type BodyReader = (incoming: IncomingMessage, bytesMax: number) => Promise<Read | BodyFault>;

export function makeBodyReader(heldMax = HELD_BYTES_MAX, msMax = BODY_MS_MAX): BodyReader {
  let held = 0;
  return async (incoming, bytesMax) => {
    if (Number(incoming.headers['content-length'] ?? 0) > bytesMax) return 'too_large';
    const chunks: Buffer[] = [];
    let bytes = 0;
    const release = () => {
      held -= bytes;
    };
    const fault = await new Promise<BodyFault | undefined>((resolve) => {
      const timer = setTimeout(() => resolve('too_slow'), msMax);
      const end = (how?: BodyFault) => {
        clearTimeout(timer);
        resolve(how);
      };
      incoming.on('data', (chunk: Buffer) => {
        chunks.push(chunk);
        bytes += chunk.length;
        held += chunk.length;
        if (bytes > bytesMax) end('too_large');
        else if (held > heldMax) end('busy');
      });
      incoming.once('end', () => end());
      incoming.once('error', () => end('cut_off'));
      incoming.once('close', () => end('cut_off')); // after `end` it says nothing new
    });
    incoming.removeAllListeners('data');
    if (fault === undefined)
      return {
        body: chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks, bytes),
        [Symbol.dispose]: release,
      };
    incoming.pause();
    release();
    return fault;
  };
}
