/**
 * How else pages get into a table: what the published peers do, written out so that one run compares
 * them with our loader on the same pages and a table of the same shape. Neither marks a day, keeps a
 * version or leaves an equal row alone; both are as fast as the method allows.
 */
import type { Db } from '../../sql/db/pool.ts';
import { type Charge, inMajorUnits } from './charges.ts';

export type Place = { brandId: string; connectionId: string };

const AT_A_TIME = 5; // as the sync engine of Stripe's does it

const columns =
  'brand_id, connection_id, id, created_at, amount, currency, status, customer_id, payload, changed_at, seen_at';
const taken = [
  'created_at',
  'amount',
  'currency',
  'status',
  'customer_id',
  'payload',
  'changed_at',
  'seen_at',
]
  .map((column) => `${column} = excluded.${column}`)
  .join(', ');

/** One statement per page: the rows as one JSON value, taken apart by PostgreSQL. */
export async function upsertPage(
  db: Db,
  table: string,
  { brandId, connectionId }: Place,
  page: string,
): Promise<void> {
  const { data } = JSON.parse(page) as { data: Charge[] };
  const rows = data.map((charge) => ({
    id: charge.id,
    created_at: new Date(charge.created * 1000),
    amount: inMajorUnits(charge.amount),
    currency: charge.currency.toUpperCase(),
    status: charge.status,
    customer_id: charge.customer,
    payload: charge,
  }));
  await db.query(
    `insert into ${table} (${columns})
     select $1, $2, r.*, now(), now()
     from jsonb_to_recordset($3::jsonb) as r (
       id text, created_at timestamptz, amount numeric, currency text, status text, customer_id text, payload jsonb)
     on conflict (brand_id, connection_id, id) do update set ${taken}`,
    [brandId, connectionId, JSON.stringify(rows)],
  );
}

/** One statement per row, five of them under way at a time. */
export async function upsertRows(
  db: Db,
  table: string,
  { brandId, connectionId }: Place,
  page: string,
): Promise<void> {
  const { data } = JSON.parse(page) as { data: Charge[] };
  for (let start = 0; start < data.length; start += AT_A_TIME) {
    await Promise.all(
      data.slice(start, start + AT_A_TIME).map((charge) =>
        db.query(
          `insert into ${table} (${columns}) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, now(), now())
           on conflict (brand_id, connection_id, id) do update set ${taken}`,
          [
            brandId,
            connectionId,
            charge.id,
            new Date(charge.created * 1000),
            inMajorUnits(charge.amount),
            charge.currency.toUpperCase(),
            charge.status,
            charge.customer,
            JSON.stringify(charge),
          ],
        ),
      ),
    );
  }
}
