/** Why a stream that a figure rests on is not read past the end of a day. */
import type { Reader } from '#sql/db/reader.ts';
import { type Reason, reason } from '../shared/options/reason.ts';
import { count } from '../ui/format.ts';
import { instant } from '../ui/output.ts';

export type Feed = {
  brand_id: string;
  brand: string;
  connection_id: string;
  connection: string;
  stream: string;
  state: 'ok' | 'late' | 'partial' | 'failing' | 'never' | 'held';
  error: string | null;
  complete_to: Date | null;
  /** Whether it is not read past the end of the day. */
  is_behind: boolean;
};

/** By connection, of streams that are not well or not read far enough. */
export async function reasonsOfFeeds(db: Reader, feeds: readonly Feed[]): Promise<Reason[]> {
  const reasons: Reason[] = [];
  for (const unfit of Map.groupBy(feeds, ({ connection_id }) => connection_id).values()) {
    const [first] = unfit;
    if (first === undefined) continue;
    reasons.push(...(first.state === 'held' ? [ofState(first)] : unfit.map(ofState)));
    const behind = unfit.filter(({ is_behind }) => is_behind);
    if (behind.length > 0)
      reasons.push(...(await ofJobs(db, first, behind)), ...(await ofSlots(db, first, behind)));
  }
  return reasons;
}

function ofState({ brand, connection, stream, state, error, complete_to: to }: Feed): Reason {
  const which = `${connection} --brand ${brand}`;
  const name = `${stream} of ${connection}`;
  const cause = error ?? 'no reason is recorded';
  const sync = `npx nightshift sync run --brand ${brand} --connection ${connection}`;
  switch (state) {
    case 'held':
      return reason(`${connection} is held: ${cause}`, `npx nightshift connections check ${which}`);
    case 'failing':
      return reason(`${name} fails: ${cause}`, `npx nightshift sync status --brand ${brand}`);
    case 'partial':
      return reason(
        `${name} is not complete: ${cause}`,
        `npx nightshift sync status --brand ${brand} --checks`,
      );
    case 'never':
      return reason(`${name} was never read to its end`, sync);
    default:
      return reason(`${name} is read up to ${to === null ? 'no known instant' : instant(to)} only`, sync);
  }
}

async function ofJobs(
  db: Reader,
  { brand_id, connection_id }: Feed,
  feeds: readonly Feed[],
): Promise<Reason[]> {
  const streams = feeds.map(({ stream }) => stream);
  const { rows } = await db.query<{ id: string; task: string; state: string; why: string | null }>(
    `select job_id::text as id, task, state, why from ops.jobs
     where brand_id = $1 and connection_id = $2 and (payload ->> 'stream' is null or payload ->> 'stream' = any ($3))
     order by state = 'running' desc, job_id limit 3`,
    [brand_id, connection_id, streams],
  );
  return rows.map(({ id, task, state, why }) =>
    reason(`job ${id} (${task}) is ${state}${why ? `: ${why}` : ''}`, `npx nightshift jobs why ${id}`),
  );
}

type Slots = {
  id: number;
  name: string;
  paused: string | null;
  is_paused: boolean;
  outcome: string | null;
  slots: number;
  last: Date | null;
  detail: string | null;
};

/** What became of the slots since all of them were last read to their ends. */
async function ofSlots(
  db: Reader,
  { brand, brand_id, connection_id, connection }: Feed,
  feeds: readonly Feed[],
): Promise<Reason[]> {
  const read = feeds.map(({ complete_to }) => complete_to?.getTime() ?? 0);
  const { rows } = await db.query<Slots>(SLOTS, [brand_id, connection_id, new Date(Math.min(...read))]);
  if (rows.length === 0)
    return [reason(`no schedule syncs ${connection}`, `npx nightshift schedules list --brand ${brand}`)];
  return rows.flatMap(({ id, name, is_paused: isPaused, paused, outcome, slots, last, detail }) => [
    ...(isPaused
      ? [reason(`its schedule ${id} ${name} is paused: ${paused}`, `npx nightshift schedules resume ${id}`)]
      : []),
    ...(outcome === null || last === null
      ? []
      : [
          reason(
            `${count(slots, 'slot')} of schedule ${id} ${name} ended as ${outcome}, the last at ${instant(last)}${detail ? `: ${detail}` : ''}`,
            `npx nightshift schedules history ${id}`,
          ),
        ]),
  ]);
}

const SLOTS = `
  select s.id::int, s.name, s.paused_at is not null as is_paused, concat_ws(', by ', s.paused_reason, s.paused_by) as paused,
         l.outcome, coalesce(l.slots, 0)::int as slots, l.last, l.detail
  from ops.schedules s
  left join lateral (
    select outcome, count(*) as slots, max(slot) as last, (array_agg(detail order by slot desc))[1] as detail
    from ops.schedule_slots l
    where l.schedule_id = s.id and l.outcome <> 'queued' and l.slot > $3
    group by outcome
  ) l on true
  where s.brand_id = $1 and s.connection_id = $2 and s.task = 'sync_connection'
  order by s.id, l.outcome limit 20`;
