/**
 * Streams that have brought nothing new for longer than they ever did: each run succeeds, and yet a shop that sold
 * every hour has sold nothing since yesterday.
 */
import type { Reader } from '#sql/db/reader.ts';
import { count, span } from '../ui/format.ts';
import { type Check, type Finding, named, ok, warning } from './check.ts';

/** Fewer changes than this tell nothing of what is usual. */
const CHANGES_MIN = 5;
/** A gap of at least this length is reported, regardless of how busy the stream was. */
const GAP_MIN_SECONDS = 6 * 3_600;
const DEADLINE_MS = 60_000;

/** `seconds` from the last change to the last run that succeeded: while no worker runs, a stream is not quiet. */
type Stream = {
  brand: string;
  connection: string;
  stream: string;
  is_judged: boolean;
  seconds: number;
  usual: number;
};

export const gaps = gapsWithin(DEADLINE_MS);

export function gapsWithin(deadlineMs: number): Check {
  const run: Check['run'] = async ({ db }) => {
    const until = Date.now() + deadlineMs;
    const { rows: connections } = await db.query<Connection>(CONNECTIONS);
    const free = connections.filter(({ is_held }) => !is_held);
    const streams: Stream[] = [];
    let seen = 0;
    for (const { brandId, id } of free) {
      if (Date.now() > until) break;
      streams.push(...(await streamsOf(db, brandId, id)));
      seen += 1;
    }
    return [
      ...gapsAmong(streams),
      ...(seen === free.length ? [] : [tooLate(seen, free.length, deadlineMs)]),
      judged(streams, connections.length - free.length),
    ];
  };
  return { name: 'unusual gaps', run };
}

/** The longest first. */
function gapsAmong(streams: readonly Stream[]): Finding[] {
  const quiet = streams
    .filter((one) => one.is_judged && one.seconds > one.usual && one.seconds > GAP_MIN_SECONDS)
    .sort((one, other) => other.seconds - one.seconds);
  return named(quiet, quiet.length, ({ brand, connection, stream, seconds, usual }) =>
    warning(
      `${stream} of ${connection} of ${brand} brought nothing new for ${span(seconds * 1_000)}, though runs succeeded; the longest time before was ${span(usual * 1_000)}.`,
      `npx nightshift sync run --brand ${brand} --connection ${connection} --stream ${stream} --full`,
    ),
  );
}

function tooLate(seen: number, all: number, deadlineMs: number): Finding {
  return warning(
    `${seen} of ${count(all, 'connection')} were looked at within ${span(deadlineMs)}.`,
    'run it again while the database has less to do',
  );
}

/** Whoever reads that nothing is quiet is told of how much that is said. */
function judged(streams: readonly Stream[], held: number): Finding {
  const known = streams.filter((one) => one.is_judged).length;
  const few = streams.length - known;
  const not = [
    ...(few > 0 ? [`${count(few, 'stream')} with fewer than ${CHANGES_MIN} changes`] : []),
    ...(held > 0 ? [count(held, 'held connection')] : []),
  ];
  return ok(
    `${count(known, 'stream')} judged by the last 60 days${not.length > 0 ? `; not judged: ${not.join(', ')}` : ''}`,
  );
}

type Connection = { brandId: string; id: string; is_held: boolean };

// One at a time: each is a range of one index, and a large fleet takes no statement beyond its limit.
const CONNECTIONS = `
  select c.brand_id as "brandId", c.id, c.held_at is not null as is_held
  from app.connections c join app.brands b on b.id = c.brand_id
  where c.removing_at is null order by b.slug, c.name`;

async function streamsOf(db: Reader, brandId: string, connectionId: string): Promise<Stream[]> {
  const { rows } = await db.query<Stream>(STREAMS, [brandId, connectionId, CHANGES_MIN]);
  return rows;
}

// A run of one stream tells of it in its whole tally, one of the account of each stream that had something; what it
// left to another job it did not read.
const STREAMS = `
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
  ), known as (
    select stream, max(at) as last_change, max(gap) as usual from between_changes group by stream having count(*) >= $3
  )
  select b.slug as brand, c.name as connection, s.stream, k.stream is not null as is_judged,
         coalesce(extract(epoch from run.last - k.last_change), 0)::float8 as seconds, coalesce(k.usual, 0) as usual
  from app.connections c
  join app.brands b on b.id = c.brand_id
  join ops.streams s on s.provider = c.provider
  left join known k on k.stream = s.stream
  left join lateral (
    select max(r.finished_at) as last from ops.job_runs r
    where r.brand_id = $1 and r.connection_id = $2 and r.outcome = 'succeeded' and r.finished_at > k.last_change
      and (r.task = 'sync_stream' and r.payload ->> 'stream' = k.stream
           or r.task = 'sync_connection' and r.tally -> 'streams' -> k.stream -> 'job' is null)
  ) run on true
  where c.brand_id = $1 and c.id = $2
  order by s.stream`;
