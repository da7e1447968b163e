/** A brand with a retailer and a connection, for benches that need rows to belong to somebody. */
import type { Db } from '../../sql/db/pool.ts';

export type Tenant = { brandId: string; retailerId: string; connectionId: string };

export async function addConnection(
  db: Db,
  { provider, account }: { provider: string; account: string },
): Promise<Tenant> {
  const { rows } = await db.query<Tenant>(
    `with brand as (
       insert into app.brands (slug, name, time_zone, reporting_currency)
       values ($2, 'Bench', 'Europe/London', 'GBP') returning id
     ), retailer as (
       insert into app.retailers (brand_id, slug, name) select id, 'bench', 'Bench' from brand returning brand_id, id
     )
     insert into app.connections (brand_id, retailer_id, name, provider, account, base_url, auth, secret, secret_key_id)
     select brand_id, id, 'bench', $1, $3, 'http://127.0.0.1', 'token', '', 'none' from retailer
     returning brand_id as "brandId", retailer_id as "retailerId", id as "connectionId"`,
    [provider, account.replaceAll('_', '-'), account],
  );
  const [tenant] = rows;
  if (tenant === undefined) throw new Error('No connection was made.');
  return tenant;
}
