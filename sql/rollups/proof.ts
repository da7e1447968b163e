/** Generates the statement that holds sums of a rollup against others that they must equal. */
import { type Partitioned, wantedPartitions } from './merge.ts';
import type { Rollup } from './rollup.ts';

/** Parameters: $1 brand, $2 uuid[] retailers, $3 date[] days, $4 the instant of the run. Returns how many differ. */
export function proofStatement(rollup: Partitioned & Pick<Rollup, 'name'>, proof: string): string {
  return `with wanted as materialized (${wantedPartitions(rollup)}
), found as materialized (
${proof}
), stored as (
  select k.* from wanted w
  join ops.figure_checks k on k.brand_id = $1 and k.rollup = '${rollup.name}' and k.day = w.day
), gone as (
  delete from ops.figure_checks k using stored s
  where k.brand_id = $1 and k.rollup = s.rollup and k.day = s.day and k.currency = s.currency
    and not exists (select from found f where f.day = s.day and f.currency = s.currency)
), written as (
  insert into ops.figure_checks as k (brand_id, rollup, day, currency, expected, found, checked_at)
  select $1, '${rollup.name}', day, currency, expected, found, $4::timestamptz from found
  on conflict (brand_id, rollup, day, currency) do update
  set expected = excluded.expected, found = excluded.found, checked_at = excluded.checked_at
  where (k.expected, k.found) is distinct from (excluded.expected, excluded.found)
)
select count(*) filter (where expected <> found)::int as wrong from found`;
}
