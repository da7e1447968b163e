/** Whether PostgreSQL and this runtime mean the same by the zones of brands and schedules. */
import type { Reader } from '#sql/db/reader.ts';
import { count } from '../ui/format.ts';
import { type Check, type Finding, failure, ok } from './check.ts';

const ZONES_MAX = 200;

export const zones: Check = {
  name: 'zone data',
  async run({ db }) {
    const { rows } = await db.query<{ zone: string; known: boolean }>(ZONES);
    const unknown = rows
      .filter(({ known }) => !known)
      .map(({ zone }) => failure(`PostgreSQL does not know the zone ${zone}.`, MEND));
    const known = rows.filter((row) => row.known).map(({ zone }) => zone);
    const differing = judgeOffsets(await offsetsOf(db, known));
    if (unknown.length + differing.length === 0)
      return ok(`${count(known.length, 'zone')}, the same here and there`);
    return [...unknown, ...differing];
  },
};

const MEND =
  'update the zone data (tzdata) of the server and Node to the same release, then restart the workers';

const ZONES = `
  select zone, zone in (select name from pg_timezone_names) as known
  from (
    select time_zone as zone from app.brands
    union select time_zone from ops.schedules where time_zone is not null
  ) used order by zone limit ${ZONES_MAX}`;

export type Offset = { zone: string; at: Date; minutes: number };

/** Of each week of this year and the next. */
async function offsetsOf(db: Reader, names: readonly string[]): Promise<Offset[]> {
  const { rows } = await db.query<Offset>(
    `select zone, at, (extract(epoch from (at at time zone zone) - (at at time zone 'UTC')) / 60)::float8 as minutes
     from unnest($1::text[]) as zone
     cross join generate_series(
       date_trunc('year', now()), date_trunc('year', now()) + interval '2 years', interval '7 days') as at
     order by zone, at`,
    [names],
  );
  return rows;
}

/** A finding for each zone that has another offset here at some instant. */
export function judgeOffsets(offsets: readonly Offset[]): Finding[] {
  return [...Map.groupBy(offsets, ({ zone }) => zone)].flatMap(([zone, ofZone]) => {
    const here = offsetHere(zone);
    if (here === undefined) return failure(`This runtime does not know the zone ${zone}.`, MEND);
    const differs = ofZone.find(({ at, minutes }) => here(at) !== minutes);
    return differs === undefined
      ? []
      : failure(
          `In ${zone} on ${differs.at.toISOString()} PostgreSQL is ${differs.minutes} min from UTC, this runtime ${here(differs.at)}.`,
          MEND,
        );
  });
}

const MINUTE_MS = 60_000;

function offsetHere(timeZone: string): ((at: Date) => number) | undefined {
  try {
    const fields = {
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
    } as const;
    const format = new Intl.DateTimeFormat('en-US', { timeZone, hourCycle: 'h23', ...fields });
    return (at) => {
      const part = Object.fromEntries(
        format.formatToParts(at).map(({ type, value }) => [type, Number(value)]),
      );
      const { year = 0, month = 1, day = 1, hour = 0, minute = 0 } = part;
      const whole = Math.floor(at.getTime() / MINUTE_MS) * MINUTE_MS;
      return (Date.UTC(year, month - 1, day, hour, minute) - whole) / MINUTE_MS;
    };
  } catch {
    return undefined;
  }
}
