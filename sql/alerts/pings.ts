/** Addresses of brands that are told when the figures of a day are final, and whether that is so. */

import { isSafeAddress } from '#runtime/addresses.ts';
import { coded } from '#runtime/errors.ts';
import type { Tx } from '../db/pool.ts';
import type { Reader } from '../db/reader.ts';
import { recordAction } from '../tenants/audit.ts';
import { keepBrand } from '../tenants/removing.ts';
import type { Sealer } from '../tenants/secrets.ts';

export class PingRefused extends coded('NS_PING_REFUSED') {
  constructor() {
    super('No ping is sent to such an address.', {
      hint: 'It should begin with https://, or with http:// of this machine, and have no password in it.',
    });
  }
}

const placeOf = (brandId: string, name?: string) =>
  ({ brandId, connectionId: '', use: 'ping', ...(name && { name }) }) as const;

export async function setPing(
  tx: Tx,
  sealer: Sealer,
  brandId: string,
  address: string | null,
): Promise<void> {
  if (address !== null && !isSafeAddress(address)) throw new PingRefused();
  const target = await keepBrand(tx, brandId);
  const { rowCount } = await tx.query('delete from app.pings where brand_id = $1', [brandId]);
  if (address !== null) {
    const { sealed, keyId } = sealer.seal(address, placeOf(brandId));
    await tx.query('insert into app.pings (brand_id, address, address_key_id) values ($1, $2, $3)', [
      ...[brandId, sealed, keyId],
    ]);
  }
  const [before, after] = [{ ping: rowCount === 1 }, { ping: address !== null }];
  await recordAction(tx, { action: 'brands.set_ping', brandId, target, before, after });
}

export async function readPing(db: Reader, sealer: Sealer, brandId: string): Promise<string | undefined> {
  const { rows } = await db.query<{ sealed: Buffer; keyId: string; slug: string }>(
    `select p.address as sealed, p.address_key_id as "keyId", b.slug
     from app.pings p join app.brands b on b.id = p.brand_id where p.brand_id = $1`,
    [brandId],
  );
  const [row] = rows;
  return row && sealer.open(row, placeOf(brandId, row.slug));
}

export async function pingedBrands(db: Reader): Promise<Set<string>> {
  const { rows } = await db.query<{ id: string }>('select brand_id as id from app.pings');
  return new Set(rows.map(({ id }) => id));
}

export async function hasPing(db: Reader, brandId: string): Promise<boolean> {
  const { rows } = await db.query('select from app.pings where brand_id = $1', [brandId]);
  return rows.length > 0;
}

/**
 * The day that should be final of each nightly schedule `c` of a brand `b` at $1: of its last slot whose deadline has
 * passed, be it decided or not. A slot of a paused schedule counts: whoever relies on the figures has to hear of that.
 */
const DUE = `
  lateral (
    select d.local_day - 1 as day from (
      (select s.local_day from ops.schedule_slots s
       where s.brand_id = c.brand_id and s.schedule_id = c.id and s.outcome <> 'excluded'
         and (s.local_day + b.complete_by) at time zone b.time_zone <= $1
       order by s.slot desc limit 1)
      union all
      select (c.next_slot at time zone coalesce(c.time_zone, b.time_zone))::date) d
    where (d.local_day + b.complete_by) at time zone b.time_zone <= $1
      and (b.created_at at time zone b.time_zone)::date < d.local_day
    order by d.local_day desc limit 1) due`;

/** Whether the night of the day is complete, and no later one has begun or is due: a late word must hide no silence. */
export async function isNightKept(db: Reader, brandId: string, day: string, now: Date): Promise<boolean> {
  const { rows } = await db.query<{ kept: boolean }>(
    `select n.day = $3 and n.state = 'complete' and not exists (
       select from app.brands b
       join ops.schedules c on c.brand_id = b.id and c.task = 'nightly' cross join ${DUE}
       where b.id = $2 and due.day > $3) as kept
     from ops.nights n where n.brand_id = $2 order by n.day desc limit 1`,
    [now, brandId, day],
  );
  return rows[0]?.kept ?? false;
}

/** Whether, of every brand that has nights, the day whose deadline came last is final. */
export async function areAllNightsKept(db: Reader, now: Date): Promise<boolean> {
  const { rows } = await db.query<{ kept: boolean }>(
    `select not exists (
       select from app.brands b
       join ops.schedules c on c.brand_id = b.id and c.task = 'nightly' cross join ${DUE}
       where b.removing_at is null and not exists (
         select from ops.nights n where n.brand_id = b.id and n.day = due.day and n.state = 'complete')) as kept`,
    [now],
  );
  return rows[0]?.kept ?? false;
}
