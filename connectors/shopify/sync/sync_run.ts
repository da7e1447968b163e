/** What one run of a stream of Shopify works with. */
import type { Json } from '#sql/load/table.ts';
import type { Page, StreamContext, Target } from '../../kit/stream.ts';
import type { Access } from '../api/access.ts';
import type { Shopify } from '../api/client.ts';
import { type Position, positionJson } from './sync_state.ts';

/** Before anything that Shopify holds. */
export const BEGINNING = new Date('2000-01-01T00:00:00Z');

export type SyncRun = {
  context: StreamContext;
  shopify: Shopify;
  access: Access;
  /** As the last page left it. */
  position: Position;
  phase: Page['phase'];
};

/** Moves on to `position`: an empty page that stores it, to be filled by the caller. */
export function checkpoint(run: SyncRun, position: Position): Page & { position: Json } {
  run.position = position;
  return { phase: run.phase, items: [], rejected: [], position: positionJson(position) };
}

/** Objects that are here: stored and not deleted, or set aside because they were not understood. */
export async function storedRoots({ context }: SyncRun, stream: string, { tables }: Target): Promise<number> {
  const [root] = tables;
  if (!root) return 0;
  const { brandId, id } = context.connection;
  const { rows } = await context.db.query<{ n: number }>(
    `select count(*)::int as n
     from (
       select id from ${root.name} where brand_id = $1 and connection_id = $2 and deleted_at is null
       union
       select row_key from ops.rejected_rows where brand_id = $1 and connection_id = $2 and stream = $3
     ) here`,
    [brandId, id, stream],
  );
  return rows[0]?.n ?? 0;
}
