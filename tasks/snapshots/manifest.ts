/**
 * The list of what a snapshot is made of, written last: without one there is no snapshot. It is signed with the data key
 * of the snapshot and names the hash of the manifest before it, so that none can be changed, exchanged or left out unseen.
 */
import { createHash, timingSafeEqual } from 'node:crypto';
import { z } from 'zod';
import type { StoredPart } from '#sql/snapshots/catalogue.ts';
import { partColumns, type SnapshotTable, scopes } from '#sql/snapshots/tables.ts';
import type { Sealer } from '#sql/tenants/secrets.ts';
import { parsed, SnapshotDamaged } from './damage.ts';
import { type DataKey, openDataKey, signatureOf } from './data_key.ts';
import { fileOf, readText, type Store } from './store.ts';

export const FORMAT = 1;

const sha256 = z.string().regex(/^[0-9a-f]{64}$/);
const size = z.int().min(0);
const name = z.string().min(1).max(200);

const part = z.strictObject({
  part: name,
  /** SHA-256 of the plaintext, by which the file is named. */
  name: sha256,
  rows: size,
  row_hash: z.string().regex(/^-?\d{1,40}$/),
  bytes: size,
  stored_bytes: size,
  stored_sha256: sha256,
  header_sha256: sha256,
  /** The snapshot that wrote it. */
  key: z.uuid(),
});

const table = z.strictObject({
  name,
  columns: z.array(z.tuple([name, name])),
  key: z.array(name),
  dated_by: name.nullable(),
  parts: z.array(part),
});

const manifest = z.strictObject({
  format: z.literal(FORMAT),
  id: z.uuid(),
  brand_id: z.uuid(),
  brand: name,
  scope: z.enum(scopes),
  created_at: z.iso.datetime(),
  lsn: name,
  server_version: z.int(),
  schema_version: name,
  previous: z.strictObject({ id: z.uuid(), sha256 }).nullable(),
  tables: z.array(table),
  totals: z.strictObject({ tables: size, parts: size, rows: size, bytes: size, stored_bytes: size }),
});

const file = z.strictObject({ manifest: z.unknown(), signature: sha256 });

export type Manifest = z.output<typeof manifest>;
export type ManifestTable = z.output<typeof table>;

/** The text of the file. */
export function manifestFile(content: Manifest, key: DataKey): string {
  return `${JSON.stringify({ manifest: content, signature: signatureOf(key, JSON.stringify(content)) })}\n`;
}

export function hashOf(text: string): string {
  return createHash('sha256').update(text).digest('hex');
}

/** Throws NS_SNAPSHOT_DAMAGED for one that is missing, changed, or of another snapshot. */
export async function readManifest(
  store: Store,
  sealer: Sealer,
  { brandId, id }: { brandId: string; id: string },
): Promise<{ content: Manifest; sha256: string }> {
  const at = fileOf.manifest(brandId, id);
  const text = await readText(store, at);
  const { manifest: given, signature } = parsed(at, text, file.parse);
  const key = await openDataKey(store, sealer, { brandId, id });
  const isSigned = timingSafeEqual(
    Buffer.from(signature, 'hex'),
    Buffer.from(signatureOf(key, JSON.stringify(given)), 'hex'),
  );
  const content = isSigned ? parsed(at, JSON.stringify(given), manifest.parse) : undefined;
  if (content?.id !== id || content.brand_id !== brandId)
    throw new SnapshotDamaged(`The manifest ${at} was changed or exchanged: its signature does not fit.`, {
      file: at,
    });
  return { content, sha256: hashOf(text) };
}

export function manifestTable(table: SnapshotTable, parts: readonly StoredPart[]): ManifestTable {
  const { name, key, datedBy } = table;
  return {
    name,
    columns: namedColumns(partColumns(table)),
    key: key.map((column) => column.name),
    dated_by: datedBy,
    parts: parts.map((stored) => ({
      part: stored.part,
      name: stored.name,
      rows: stored.rows,
      row_hash: stored.rowHash,
      bytes: stored.bytes,
      stored_bytes: stored.storedBytes,
      stored_sha256: stored.storedSha256,
      header_sha256: stored.headerSha256,
      key: stored.keyId,
    })),
  };
}

export function partsOfManifest({ tables }: Manifest): StoredPart[] {
  return tables.flatMap(({ name: of, parts }) =>
    parts.map((one) => ({
      table: of,
      part: one.part,
      name: one.name,
      keyId: one.key,
      headerSha256: one.header_sha256,
      rows: one.rows,
      rowHash: one.row_hash,
      bytes: one.bytes,
      storedBytes: one.stored_bytes,
      storedSha256: one.stored_sha256,
    })),
  );
}

export function totalsOf(tables: readonly ManifestTable[]): Manifest['totals'] {
  const parts = tables.flatMap((one) => one.parts);
  const sum = (of: (one: (typeof parts)[number]) => number) =>
    parts.reduce((total, one) => total + of(one), 0);
  return {
    tables: tables.length,
    parts: parts.length,
    rows: sum((one) => one.rows),
    bytes: sum((one) => one.bytes),
    stored_bytes: sum((one) => one.stored_bytes),
  };
}

/** The first line of a part, by which it says itself what it is. */
export function headerOf(brandId: string, table: SnapshotTable, which: string): string {
  const columns = namedColumns(partColumns(table));
  return `${JSON.stringify({ format: FORMAT, brand_id: brandId, table: table.name, part: which, columns })}\n`;
}

export function namedColumns(columns: SnapshotTable['columns']): [string, string][] {
  return columns.map(({ name: column, type }) => [column, type]);
}
