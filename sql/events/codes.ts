/** What is usual of the scans of a code. A change of it computes the days of its scans again. */
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { lockRollup } from '../dirty/marks.ts';
import { recordAction } from '../tenants/audit.ts';
import { named } from '../tenants/names.ts';
import { keepBrand } from '../tenants/removing.ts';

/** For codes without a row of their own. */
export const OTHERS = '*';

/** Decimal texts, because they are stored exactly. */
export type Code = {
  code: string;
  perDevice: number | null;
  latitude: string | null;
  longitude: string | null;
  radiusKm: string | null;
};

const COLUMNS = 'code, per_device as "perDevice", latitude, longitude, radius_km as "radiusKm"';

export async function listCodes(db: Reader, brandId: string): Promise<Code[]> {
  const { rows } = await db.query<Code>(
    `select ${COLUMNS} from app.event_codes where brand_id = $1 order by code`,
    [brandId],
  );
  return rows;
}

export async function addCode(tx: Tx, brandId: string, limits: Code, actor?: string): Promise<void> {
  await keepBrand(tx, brandId);
  const before = (await listCodes(tx, brandId)).find(({ code }) => code === limits.code);
  const { code, perDevice, latitude, longitude, radiusKm } = limits;
  await tx.query(
    `insert into app.event_codes (brand_id, code, per_device, latitude, longitude, radius_km)
     values ($1, $2, $3, $4, $5, $6)
     on conflict (brand_id, code) do update set per_device = excluded.per_device, latitude = excluded.latitude,
       longitude = excluded.longitude, radius_km = excluded.radius_km`,
    [brandId, code, perDevice, latitude, longitude, radiusKm],
  );
  await markScans(tx, brandId, code);
  const change = { ...(before && { before }), after: limits };
  await recordAction(tx, { action: 'events.codes_add', brandId, target: code, ...change, actor });
}

export async function removeCode(tx: Tx, brandId: string, given: string, actor?: string): Promise<void> {
  const before = named('events code', given, await listCodes(tx, brandId), ({ code }) => code);
  await tx.query('delete from app.event_codes where brand_id = $1 and code = $2', [brandId, given]);
  await markScans(tx, brandId, given);
  await recordAction(tx, { action: 'events.codes_remove', brandId, target: given, before, actor });
}

/**
 * The lock waits for a rollup under way, whose figures are made by the old limits. Days without figures yet are marked
 * already.
 */
async function markScans(tx: Tx, brandId: string, code: string): Promise<void> {
  await lockRollup(tx, brandId, null);
  await tx.query(
    `insert into ops.marks (brand_id, subject, day, cause, marked_at)
     select distinct brand_id, 'events', day, 'changed_definition', now()
     from agg.daily_scans where brand_id = $1 and (code = $2 or $2 = '${OTHERS}')`,
    [brandId, code],
  );
}
