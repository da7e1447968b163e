/** Checks of what fires by the clock and what it promised: schedules, nights, alerts. */
import { count, span } from '../ui/format.ts';
import { type Check, failure, NAMED_MAX, warning } from './check.ts';

type Schedule = {
  id: number;
  name: string;
  brand: string | null;
  kind: 'late' | 'endless' | 'paused';
  seconds: number | null;
  reason: string | null;
};

export const schedules: Check = {
  name: 'schedules',
  async run({ db }) {
    const { rows } = await db.query<Schedule>(SCHEDULES);
    const late = rows.filter(({ kind }) => kind === 'late');
    const others = rows.filter(({ kind }) => kind !== 'late').slice(0, NAMED_MAX);
    const oldest = Math.max(...late.map(({ seconds }) => seconds ?? 0));
    return [
      ...(late.length === 0
        ? []
        : [
            failure(
              `No scheduler has looked at ${count(late.length, 'schedule')}, the oldest for ${span(oldest * 1_000)}.`,
              'npx nightshift up, or npm run scheduler',
            ),
          ]),
      ...others.map(({ id, name, brand, kind, reason }) => {
        const which = `Schedule ${id} ${name}${brand ? ` of ${brand}` : ''}`;
        return kind === 'paused'
          ? warning(
              `${which} is paused: ${reason ?? 'no reason is recorded'}`,
              `npx nightshift schedules resume ${id}`,
            )
          : warning(`${which} has no next slot.`, `npx nightshift schedules edit ${id} --expression …`);
      }),
    ];
  },
};

const SCHEDULES_MAX = 1_000;

const SCHEDULES = `
  select s.id::int, s.name, b.slug as brand, judged.kind, extract(epoch from now() - s.next_slot)::float8 as seconds,
         concat_ws(', by ', s.paused_reason, s.paused_by) as reason
  from ops.schedules s
  left join app.brands b on b.id = s.brand_id
  cross join lateral (
    select case when s.next_slot < now() - interval '1 minute' then 'late'
                when s.paused_at is not null then 'paused'
                when s.next_slot is null then 'endless' end as kind) judged
  where judged.kind is not null order by s.next_slot nulls last, s.id limit ${SCHEDULES_MAX}`;

export const nights: Check = {
  name: 'provisional nights',
  async run({ db }) {
    const { rows } = await db.query<{ brand: string; day: string; state: string }>(
      `select b.slug as brand, n.day, n.state
       from ops.nights n join app.brands b on b.id = n.brand_id
       where n.state <> 'complete' and n.begun_at < now() - interval '1 day'
       order by n.day desc, b.slug limit ${NAMED_MAX}`,
    );
    return rows.map(({ brand, day, state }) =>
      failure(
        `${day} of ${brand} is ${state} since more than a day.`,
        `npx nightshift nights show --brand ${brand} --date ${day}`,
      ),
    );
  },
};

export const alerts: Check = {
  name: 'open alerts',
  async run({ db }) {
    const { rows } = await db.query<{ brand: string | null; promise: string; cause: string; hint: string }>(
      `select b.slug as brand, a.promise, a.cause, a.hint
       from ops.alerts a left join app.brands b on b.id = a.brand_id
       where a.resolved_at is null order by a.raised_at, a.id limit ${NAMED_MAX}`,
    );
    return rows.map(({ brand, promise, cause, hint }) =>
      failure(`Broken${brand ? ` for ${brand}` : ''}: ${promise}. ${cause}`, hint),
    );
  },
};
