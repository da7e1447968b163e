/** Checks of what fires by the clock and what it promised: schedules, nights, alerts. */
import { makingGood, missedNights, missedSaid } from '#sql/nights/list.ts';
import { count, span } from '../ui/format.ts';
import { type Check, type Finding, failure, NAMED_MAX, named, warning } from './check.ts';

type Schedule = {
  id: number;
  name: string;
  brand: string | null;
  kind: 'late' | 'endless' | 'paused';
  /** How many there are of the kind. */
  total: number;
  seconds: number | null;
  reason: string | null;
};

export const schedules: Check = {
  name: 'schedules',
  async run({ db }) {
    const { rows } = await db.query<Schedule>(SCHEDULES);
    const of = (kind: Schedule['kind']) => rows.filter((row) => row.kind === kind);
    const [oldest] = of('late');
    return [
      ...(oldest === undefined
        ? []
        : [
            failure(
              `No scheduler has looked at ${count(oldest.total, 'schedule')}, the oldest for ${span((oldest.seconds ?? 0) * 1_000)}.`,
              'npx nightshift up, or npm run scheduler',
            ),
          ]),
      ...(['paused', 'endless'] as const).flatMap((kind) => named(of(kind), of(kind)[0]?.total, findingOf)),
    ];
  },
};

function findingOf({ id, name, brand, kind, reason }: Schedule): Finding {
  const which = `Schedule ${id} ${name}${brand ? ` of ${brand}` : ''}`;
  return kind === 'paused'
    ? warning(
        `${which} is paused: ${reason ?? 'no reason is recorded'}`,
        `npx nightshift schedules resume ${id}`,
      )
    : warning(`${which} has no next slot.`, `npx nightshift schedules edit ${id} --expression …`);
}

const SCHEDULES = `
  select id, name, brand, kind, seconds, reason, total
  from (
    select s.id::int, s.name, b.slug as brand, judged.kind, extract(epoch from now() - s.next_slot)::float8 as seconds,
           concat_ws(', by ', s.paused_reason, s.paused_by) as reason,
           count(*) over (partition by judged.kind)::int as total,
           row_number() over (partition by judged.kind order by s.next_slot, s.id) as place
    from ops.schedules s
    left join app.brands b on b.id = s.brand_id
    cross join lateral (
      select case when s.next_slot < now() - interval '1 minute' then 'late'
                  when s.paused_at is not null then 'paused'
                  when s.next_slot is null then 'endless' end as kind) judged
    where judged.kind is not null
  ) placed
  where place <= ${NAMED_MAX} order by kind, place`;

export const nights: Check = {
  name: 'provisional nights',
  async run({ db }) {
    const { rows } = await db.query<{ brand: string; day: string; state: string; total: number }>(
      `select b.slug as brand, n.day, n.state, count(*) over ()::int as total
       from ops.nights n join app.brands b on b.id = n.brand_id
       where n.state <> 'complete' and n.begun_at < now() - interval '1 day'
       order by n.day desc, b.slug limit ${NAMED_MAX}`,
    );
    return named(rows, rows[0]?.total, ({ brand, day, state }) =>
      failure(
        `${day} of ${brand} has been ${state} for more than a day.`,
        `npx nightshift nights show --brand ${brand} --date ${day}`,
      ),
    );
  },
};

export const missed: Check = {
  name: 'missed nights',
  async run({ db }) {
    const rows = await missedNights(db, { max: NAMED_MAX });
    return named(rows, rows[0]?.total, (one) => warning(`${missedSaid(one)}.`, makingGood(one)));
  },
};

type Alert = { brand: string | null; promise: string; cause: string; hint: string; total: number };

export const alerts: Check = {
  name: 'open alerts',
  async run({ db }) {
    const { rows } = await db.query<Alert>(
      `select b.slug as brand, a.promise, a.cause, a.hint, count(*) over ()::int as total
       from ops.alerts a left join app.brands b on b.id = a.brand_id
       where a.resolved_at is null and a.kind <> 'warnings' order by a.raised_at, a.id limit ${NAMED_MAX}`,
    );
    return named(rows, rows[0]?.total, ({ brand, promise, cause, hint }) =>
      failure(`Broken${brand ? ` for ${brand}` : ''}: ${promise}. ${cause}`, hint),
    );
  },
};
