/**
 * Streams that have brought nothing new for longer than they ever did: each run succeeds, and yet a shop that sold
 * every hour has sold nothing since yesterday.
 */
import type { Reader } from '#sql/db/reader.ts';
import { span } from '../ui/format.ts';
import { type Check, NAMED_MAX, ok, warning } from './check.ts';

/** Fewer changes than this tell nothing of what is usual. */
const CHANGES_MIN = 5;
/** A gap of at least this length is reported, regardless of how busy the stream was. */
const GAP_MIN_SECONDS = 6 * 3_600;
const DEADLINE_MS = 60_000;

type Gap = { brand: string; connection: string; stream: string; seconds: number; usual: number };

export const gaps: Check = {
  name: 'unusual gaps',
  async run({ db }) {
    const until = Date.now() + DEADLINE_MS;
    const { rows: connections } = await db.query<Connection>(CONNECTIONS);
    const found: Gap[] = [];
    for (const [index, { brandId, id }] of connections.entries()) {
      if (Date.now() > until)
        throw new Error(`it took too long: ${index} of ${connections.length} connections were looked at`);
      found.push(...(await gapsOf(db, brandId, id)));
    }
    found.sort((one, other) => other.seconds - one.seconds);
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

type Connection = { brandId: string; id: string };

// One at a time: each is a range of one index, and a large fleet takes no statement beyond its limit.
const CONNECTIONS = `
  select c.brand_id as "brandId", c.id
  from app.connections c join app.brands b on b.id = c.brand_id
  where c.removing_at is null and c.held_at is null order by b.slug, c.name`;

async function gapsOf(db: Reader, brandId: string, connectionId: string): Promise<Gap[]> {
  const { rows } = await db.query<Gap>(GAPS, [brandId, connectionId, CHANGES_MIN, GAP_MIN_SECONDS]);
  return rows;
}

// A run of one stream tells of it in its whole tally, one of the account of each stream that had something.
const GAPS = `
  with changes as (
    select s.stream, r.finished_at as at
    from ops.job_runs r
    cross join lateral (
      select r.payload ->> 'stream' as stream, r.tally where r.task = 'sync_stream'
      union all
      select of.key, of.value from jsonb_each(r.tally -> 'streams') of where r.task = 'sync_connection'
    ) s
    where r.brand_id = $1 and r.connection_id = $2 and r.outcome in ('succeeded', 'partial')
      and r.finished_at > now() - interval '60 days' and r.tally ->> 'changed' <> '0' and coalesce((s.tally ->> 'changed')::bigint, 0) > 0
  ), between_changes as (
    select *, extract(epoch from at - lag(at) over (partition by stream order by at))::float8 as gap
    from changes
  ), quiet as (
    select stream, extract(epoch from now() - max(at))::float8 as seconds, max(gap) as usual
    from between_changes group by stream
    having count(*) >= $3
  )
  select b.slug as brand, c.name as connection, q.stream, q.seconds, q.usual
  from quiet q
  join app.connections c on c.brand_id = $1 and c.id = $2
  join app.brands b on b.id = $1
  where q.seconds > q.usual and q.seconds > $4
  order by q.stream`;
