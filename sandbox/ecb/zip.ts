import { crc32, deflateRawSync } from 'node:zlib';

const VERSION = 20;
const DEFLATED = 8;

/** A zip file with one file in it (PKWARE's APPNOTE 4.3; no sizes over 4 GB). */
export function zip(name: string, content: Buffer, changed: Date): Buffer {
  const packed = deflateRawSync(content);
  const fileName = Buffer.from(name);
  const facts = Buffer.alloc(26); // what the local and the central header have in common
  facts.writeUInt16LE(VERSION, 0);
  facts.writeUInt16LE(DEFLATED, 4);
  facts.writeUInt16LE(dosTime(changed), 6);
  facts.writeUInt16LE(dosDate(changed), 8);
  facts.writeUInt32LE(crc32(content), 10);
  facts.writeUInt32LE(packed.length, 14);
  facts.writeUInt32LE(content.length, 18);
  facts.writeUInt16LE(fileName.length, 22);
  const local = Buffer.concat([Buffer.from('PK\x03\x04'), facts, fileName, packed]);
  const madeBy = Buffer.from([VERSION, 0]);
  const central = Buffer.concat([Buffer.from('PK\x01\x02'), madeBy, facts, Buffer.alloc(14), fileName]);
  return Buffer.concat([local, central, endOf(local.length, central.length)]);
}

function endOf(centralAt: number, centralLength: number): Buffer {
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(1, 8);
  end.writeUInt16LE(1, 10);
  end.writeUInt32LE(centralLength, 12);
  end.writeUInt32LE(centralAt, 16);
  return end;
}

function dosTime(date: Date): number {
  return (date.getUTCHours() << 11) | (date.getUTCMinutes() << 5) | (date.getUTCSeconds() >> 1);
}

function dosDate(date: Date): number {
  const year = Math.max(0, date.getUTCFullYear() - 1980);
  return (year << 9) | ((date.getUTCMonth() + 1) << 5) | date.getUTCDate();
}
