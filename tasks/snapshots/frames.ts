/**
 * Encryption of a file as it streams, with AES-256-GCM in frames of one size. Each file has a key of its own, made of the
 * data key and a random salt; the nonce of a frame is its number, and says whether it is the last. So frames that are
 * cut off, repeated, exchanged or from elsewhere do not open. Where the file belongs is authenticated with each frame,
 * its name with the last one: only then it is known.
 */
import { createCipheriv, createDecipheriv, hkdfSync, randomBytes } from 'node:crypto';

/** What a file belongs to. */
export type Place = { brandId: string; keyId: string; table: string; part: string };

const CIPHER = 'aes-256-gcm';
const MAGIC = Buffer.from('NSPART1\n');
const SALT_BYTES = 32;
const HEAD_BYTES = MAGIC.length + SALT_BYTES;
const FRAME_BYTES = 1 << 20;
const TAG_BYTES = 16;
const NONCE_BYTES = 12;
const KEY_BYTES = 32;

export class FrameRefused extends Error {}

/** `nameOf` is asked once the source has ended. */
export async function* sealFrames(
  source: AsyncIterable<Buffer>,
  dataKey: Buffer,
  place: Place,
  nameOf: () => string,
): AsyncGenerator<Buffer> {
  const salt = randomBytes(SALT_BYTES);
  const key = keyOfFile(dataKey, salt);
  yield Buffer.concat([MAGIC, salt]);
  let number = 0;
  for await (const { bytes, isLast } of inPieces(source, FRAME_BYTES)) {
    const cipher = createCipheriv(CIPHER, key, nonceOf(number++, isLast));
    cipher.setAAD(placeBytes(place, isLast ? nameOf() : ''));
    const body = cipher.update(bytes);
    cipher.final();
    yield body;
    yield cipher.getAuthTag();
  }
}

/** Throws `FrameRefused` for whatever `sealFrames` did not write with this key for this place and name. */
export async function* openFrames(
  source: AsyncIterable<Buffer>,
  dataKey: Buffer,
  place: Place,
  name: string,
): AsyncGenerator<Buffer> {
  let key: Buffer | undefined;
  let number = 0;
  for await (const { bytes, isLast } of inPieces(
    afterHead(source, (salt) => (key = keyOfFile(dataKey, salt))),
    FRAME_BYTES + TAG_BYTES,
  )) {
    if (key === undefined || bytes.length < TAG_BYTES) throw new FrameRefused('it is cut off');
    const decipher = createDecipheriv(CIPHER, key, nonceOf(number++, isLast), { authTagLength: TAG_BYTES });
    decipher.setAAD(placeBytes(place, isLast ? name : ''));
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    const body = decipher.update(bytes.subarray(0, bytes.length - TAG_BYTES));
    try {
      decipher.final();
    } catch {
      throw new FrameRefused('it was changed, cut off or exchanged, or its key is another one');
    }
    yield body;
  }
}

/** The beginning of a file is no frame. */
async function* afterHead(
  source: AsyncIterable<Buffer>,
  found: (salt: Buffer) => void,
): AsyncGenerator<Buffer> {
  let head = Buffer.alloc(0);
  for await (const chunk of source) {
    if (head.length >= HEAD_BYTES) {
      yield chunk;
      continue;
    }
    head = Buffer.concat([head, chunk]);
    if (head.length < HEAD_BYTES) continue;
    if (!head.subarray(0, MAGIC.length).equals(MAGIC)) throw new FrameRefused('it is no part of a snapshot');
    found(head.subarray(MAGIC.length, HEAD_BYTES));
    yield head.subarray(HEAD_BYTES);
  }
  if (head.length < HEAD_BYTES) throw new FrameRefused('it is cut off');
}

/** Pieces of this size; the last may be shorter, and there is always one. */
async function* inPieces(
  source: AsyncIterable<Buffer>,
  size: number,
): AsyncGenerator<{ bytes: Buffer; isLast: boolean }> {
  let waiting: Buffer[] = [];
  let length = 0;
  for await (const chunk of source) {
    waiting.push(chunk);
    length += chunk.length;
    if (length <= size) continue; // one that is just full may be the last
    let all = Buffer.concat(waiting);
    for (; all.length > size; all = all.subarray(size)) yield { bytes: all.subarray(0, size), isLast: false };
    waiting = [all];
    length = all.length;
  }
  yield { bytes: Buffer.concat(waiting), isLast: true };
}

function keyOfFile(dataKey: Buffer, salt: Buffer): Buffer {
  return Buffer.from(hkdfSync('sha256', dataKey, salt, 'nightshift part', KEY_BYTES));
}

function nonceOf(number: number, isLast: boolean): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32BE(number, NONCE_BYTES - 5);
  nonce[NONCE_BYTES - 1] = isLast ? 1 : 0;
  return nonce;
}

function placeBytes({ brandId, keyId, table, part }: Place, name: string): Buffer {
  return Buffer.from(JSON.stringify([brandId, keyId, table, part, name]));
}
