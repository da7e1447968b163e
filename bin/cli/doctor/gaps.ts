/**
 * Streams that have brought nothing new for longer than they ever did: each run succeeds, and yet a shop that sold
 * every hour has sold nothing since yesterday.
 */
import type { Reader } from '#sql/db/reader.ts';
import { listBrands } from '#sql/tenants/brands.ts';
import { span } from '../ui/format.ts';
import { type Check, NAMED_MAX, ok, warning } from './check.ts';

/** Fewer changes than this tell nothing of what is usual. */
const CHANGES_MIN = 5;
/** A gap of at least this length is reported, regardless of how busy the stream was. */
const GAP_MIN_SECONDS = 6 * 3_600;
const DEADLINE_MS = 30_000;

type Gap = { brand: string; connection: string; stream: string; seconds: number; usual: number };

export const gaps: Check = {
  name: 'unusual gaps',
  async run({ db }) {
    const until = Date.now() + DEADLINE_MS;
    const brands = await listBrands(db);
    const found: Gap[] = [];
    for (const [index, { id }] of brands.entries()) {
      found.push(...(await gapsOf(db, id)));
      if (Date.now() > until && index + 1 < brands.length)
        throw new Error(`it took too long: ${index + 1} of ${brands.length} brands were looked at`);
    }
    if (found.length === 0) return ok('no stream has been quiet for longer than it ever was in 60 days');
    return found
      .slice(0, NAMED_MAX)
      .map(({ brand, connection, stream, seconds, usual }) =>
        warning(
          `${stream} of ${connection} of ${brand} has brought nothing new for ${span(seconds * 1_000)}; the longest time before was ${span(usual * 1_000)}.`,
          `npx nightshift sync run --brand ${brand} --connection ${connection} --stream ${stream} --full`,
        ),
      );
  },
};

async function gapsOf(db: Reader, brandId: string): Promise<Gap[]> {
  const { rows } = await db.query<Gap>(GAPS, [brandId, CHANGES_MIN, GAP_MIN_SECONDS]);
  return rows;
}

// A run of one stream tells of it in its whole tally, one of the account of each stream that had something.
const GAPS = `
  with changes as (
    select r.connection_id, s.stream, r.finished_at as at
    from ops.job_runs r
    cross join lateral (
      select r.payload ->> 'stream' as stream, r.tally where r.task = 'sync_stream'
      union all
      select of.key, of.value from jsonb_each(r.tally -> 'streams') of where r.task = 'sync_connection'
    ) s
    where r.brand_id = $1 and r.connection_id is not null and r.outcome in ('succeeded', 'partial')
      and r.finished_at > now() - interval '60 days' and r.tally ->> 'changed' <> '0' and coalesce((s.tally ->> 'changed')::bigint, 0) > 0
  ), between_changes as (
    select *, extract(epoch from at - lag(at) over (partition by connection_id, stream order by at))::float8 as gap
    from changes
  ), quiet as (
    select connection_id, stream, extract(epoch from now() - max(at))::float8 as seconds, max(gap) as usual
    from between_changes group by connection_id, stream
    having count(*) >= $2
  )
  select b.slug as brand, c.name as connection, q.stream, q.seconds, q.usual
  from quiet q
  join app.connections c on c.brand_id = $1 and c.id = q.connection_id and c.removing_at is null and c.held_at is null
  join app.brands b on b.id = $1
  where q.seconds > q.usual and q.seconds > $3
  order by q.seconds desc, c.name, q.stream`;
