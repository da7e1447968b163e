/** Settings of people that figures follow, beside who owns what: campaigns, weights of rankings, what is usual of codes. */
import type { Tx } from '../../db/pool.ts';
import { differingName } from '../differences.ts';
import type { Scratch } from '../scratch.ts';
import type { SnapshotTable } from '../tables.ts';

/** What a row of each table that differs touches, as a query of subject, day and object; `d` has the keys of these rows. */
const SETTINGS: Readonly<Record<string, { said: string; touched: string }>> = {
  'app.campaigns': {
    said: 'campaigns',
    touched: `
      select 'campaigns', s.day, null from app.campaign_spend s join d on d.id = s.campaign_id where s.brand_id = $1
      -- A brand without campaigns has no rows of them: the first one, or the last, concerns all orders.
      union select 'campaigns', day, null from agg.order_days
      where brand_id = $1 and not exists (
        select from app.campaigns c where c.brand_id = $1 and not exists (select from d where d.id = c.id))`,
  },
  'app.campaign_links': {
    said: 'links of campaigns',
    touched: "select 'links', null::date, kind || ' ' || value from d",
  },
  'app.campaign_spend': { said: 'spend', touched: "select 'campaigns', day, null from d" },
  'app.ranking_weights': {
    said: 'weights of rankings',
    touched: "select 'rankings', day, null from agg.retailer_rankings where brand_id = $1",
  },
  'app.event_codes': {
    said: 'limits of codes',
    touched: "select 'events', day, null from agg.daily_scans where brand_id = $1",
  },
};

export const SETTING_TABLES = Object.keys(SETTINGS);

/** Marks what they touch, and names those that differ. The keys of the rows that differ are in the scratch schema. */
export async function markSettings(
  tx: Tx,
  scratch: Scratch,
  { brandId, differing }: { brandId: string; differing: readonly SnapshotTable[] },
): Promise<string[]> {
  const said: string[] = [];
  for (const table of differing) {
    const setting = SETTINGS[table.name];
    if (setting === undefined) continue;
    await tx.query(
      `with d as (select * from ${differingName(scratch, table)} where brand_id = $1)
       insert into ops.marks (brand_id, subject, day, object, cause, marked_at)
       select distinct $1::uuid, t.subject, t.day, t.object, 'changed_definition', now()
       from (${setting.touched}) t (subject, day, object)`,
      [brandId],
    );
    said.push(setting.said);
  }
  return said;
}
