/** Reads rates from bytes in any of the ECB's layouts, plain, zipped or gzipped. Detects the format itself. */
import { promisify } from 'node:util';
import { crc32, gunzip } from 'node:zlib';
import yauzl from 'yauzl';
import { messageOf } from '#runtime/errors.ts';
import { readCsv } from './csv.ts';
import { RatesNotUnderstood } from './errors.ts';
import type { Origin, Published } from './published.ts';
import { readXml } from './xml.ts';

/** The whole history is 2 MB as CSV and some 8 MB as XML. */
export const BYTES_MAX = 64 * 1024 * 1024;

export async function readRates(bytes: Buffer, origin: Origin): Promise<Published> {
  const { name, content } = await unpacked(bytes, origin.source);
  const inside = { ...origin, source: name };
  const text = asText(content, name);
  if (text.trim() === '') throw new RatesNotUnderstood(name, 'it is empty');
  return text.trimStart().startsWith('<') ? readXml(text, inside) : readCsv(text, inside);
}

const ZIP = 'PK\x03\x04';
const GZIP = '\x1f\x8b';

type Unpacked = { name: string; content: Buffer };

async function unpacked(bytes: Buffer, source: string): Promise<Unpacked> {
  const start = bytes.subarray(0, 4).toString('latin1');
  try {
    if (start === ZIP) return await unzipped(bytes, source);
    if (!start.startsWith(GZIP)) return { name: source, content: bytes };
    return { name: source, content: await promisify(gunzip)(bytes, { maxOutputLength: BYTES_MAX }) };
  } catch (error) {
    if (error instanceof RatesNotUnderstood) throw error;
    throw new RatesNotUnderstood(source, `it cannot be unpacked (${messageOf(error)})`);
  }
}

/** The one file in a zip. yauzl checks its size, but not its checksum, which is checked here. */
async function unzipped(bytes: Buffer, source: string): Promise<Unpacked> {
  const zip = await yauzl.fromBufferPromise(bytes, { lazyEntries: true });
  const files: Unpacked[] = [];
  for await (const entry of zip.eachEntry()) {
    if (entry.fileName.endsWith('/')) continue;
    if (files.length > 0) throw new RatesNotUnderstood(source, 'there is more than one file in the zip');
    if (entry.uncompressedSize > BYTES_MAX)
      throw new RatesNotUnderstood(source, `${entry.fileName} is larger than ${BYTES_MAX} bytes`);
    const pieces: Buffer[] = [];
    for await (const piece of await zip.openReadStreamPromise(entry)) pieces.push(piece);
    const content = Buffer.concat(pieces);
    if (crc32(content) !== entry.crc32)
      throw new RatesNotUnderstood(
        source,
        `it cannot be unpacked (the checksum of ${entry.fileName} is wrong)`,
      );
    files.push({ name: `${source}:${entry.fileName}`, content });
  }
  const [file] = files;
  if (!file) throw new RatesNotUnderstood(source, 'there is no file in the zip');
  return file;
}

function asText(content: Buffer, name: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(content);
  } catch {
    throw new RatesNotUnderstood(name, 'it is not text in UTF-8');
  }
}
