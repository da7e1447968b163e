/** What the streams of a connection warn of although they are read: of each what its last run said that looked. */
import { scrub } from '#runtime/scrub.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import type { ConnectionKey } from './stream_key.ts';

/** Of one stream. */
export const WARNINGS_MAX = 10;
const WARNING_CHARS_MAX = 500;

export type StreamWarnings = { stream: string; warnings: readonly string[] };

/** As they are stored. */
export function cleaned(warnings: Iterable<string>): string[] {
  const clean = [...warnings].map((one) => scrub(one, WARNING_CHARS_MAX).trim());
  return [...new Set(clean)].slice(0, WARNINGS_MAX).sort();
}

/** In place of what was stored of these streams. */
export async function saveWarnings(
  tx: Tx,
  { brandId, connectionId }: ConnectionKey,
  streams: readonly StreamWarnings[],
): Promise<void> {
  const [warned, silent] = [
    streams.filter(({ warnings }) => warnings.length > 0),
    streams.filter(({ warnings }) => warnings.length === 0),
  ];
  if (silent.length > 0)
    await tx.query(
      'delete from ops.stream_warnings where brand_id = $1 and connection_id = $2 and stream = any ($3)',
      [brandId, connectionId, silent.map(({ stream }) => stream)],
    );
  if (warned.length > 0)
    await tx.query(
      `insert into ops.stream_warnings (brand_id, connection_id, stream, warnings)
       select $1, $2, s.stream, s.warnings
       from jsonb_to_recordset($3::jsonb) as s (stream text, warnings text[])
       on conflict (brand_id, connection_id, stream) do update set warnings = excluded.warnings`,
      [brandId, connectionId, JSON.stringify(warned)],
    );
}

export async function readWarnings(
  db: Reader,
  { brandId, connectionId }: ConnectionKey,
): Promise<ReadonlyMap<string, readonly string[]>> {
  const { rows } = await db.query<StreamWarnings>(
    'select stream, warnings from ops.stream_warnings where brand_id = $1 and connection_id = $2',
    [brandId, connectionId],
  );
  return new Map(rows.map(({ stream, warnings }) => [stream, warnings]));
}

export type WarnedConnection = { brand: string; connection: string; warnings: string[] };

/** Each warning of a connection once, in whatever streams it was said; `total` counts the connections that have some. */
export async function warnedConnections(
  db: Reader,
  max: number,
): Promise<{ connections: WarnedConnection[]; total: number }> {
  const { rows } = await db.query<WarnedConnection & { total: number }>(
    `select b.slug as brand, c.name as connection, s.warnings, count(*) over ()::int as total
     from (select brand_id, connection_id, (${ALL})[1:${WARNINGS_MAX}] as warnings
           from ops.stream_warnings cross join unnest(warnings) w group by 1, 2) s
     join app.connections c on (c.brand_id, c.id) = (s.brand_id, s.connection_id)
     join app.brands b on b.id = s.brand_id
     where c.removing_at is null order by b.slug, c.name limit $1`,
    [max],
  );
  const connections = rows.map(({ total: _, ...one }) => one);
  return { connections, total: rows[0]?.total ?? 0 };
}

const ALL = 'array_agg(distinct w order by w)';

/** In one line. */
export function warningsSaid(warnings: readonly string[]): string {
  return scrub(warnings.map((one) => one.replace(/\.$/, '')).join('; '));
}
