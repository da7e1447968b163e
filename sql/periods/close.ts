/**
 * Closes a month of a brand, and reopens it. Freezing is one transaction: from its lock on no rollup of the brand is under way,
 * so each change of a figure is either in the rows that are frozen, or sees the closing and books an adjustment.
 */
import pg from 'pg';
import type { Db, Tx } from '../db/pool.ts';
import { lockFigures, lockRollup } from '../dirty/marks.ts';
import { freezeStatement } from '../rollups/closed.ts';
import { rollups as ours } from '../rollups/index.ts';
import { isRestated } from '../rollups/restate.ts';
import type { Rollup } from '../rollups/rollup.ts';
import { currentAccount, recordAction } from '../tenants/audit.ts';
import { only } from '../tenants/brands.ts';
import { keepBrand } from '../tenants/removing.ts';
import { bookUnbooked } from './book.ts';
import { type Closing, findClosing, lastClosed } from './closings.ts';
import type { Lost } from './lost.ts';
import {
  monthOf,
  type NotFinal,
  PeriodBusy,
  PeriodNotClosed,
  PeriodNotFinal,
  PeriodNotOver,
  PeriodOutOfOrder,
} from './refusals.ts';

/** `period`: the first day of the month. */
export type Period = { brandId: string; period: string; actor?: string | undefined };

export type ToClose = Period & {
  note?: string | undefined;
  /** Closes it although not all of it is final, for this reason. */
  anyway?: string | undefined;
  rollups?: readonly Rollup[];
  /** For rollups that are under way. */
  waitSeconds?: number;
};

/** `isNew` is false if it was closed before: then nothing has changed. */
type Closed = { closing: Closing; isNew: boolean };

/**
 * First, in a transaction of its own, it books what was changed past the rollups, in the month that is open until now: no rollup
 * of a retailer waits for that. What the rollups change between is booked by themselves. `lost` is what it could not book.
 */
export async function closePeriod(
  db: Pick<Db, 'transaction'>,
  asked: ToClose,
): Promise<Closed & { lost: Lost[] }> {
  const { brandId, rollups = ours } = asked;
  const { known, lost } = await db.transaction(async (tx) => {
    await keepWithin(tx, asked, () => lockRollup(tx, brandId, null));
    const { known, now } = await judge(tx, asked);
    const booking = { brandId, cause: 'changed_definition', rollups } as const;
    return { known, lost: now ? await bookUnbooked(tx, { ...booking, now }) : [] };
  });
  if (known) return { closing: known, isNew: false, lost };
  return { ...(await db.transaction((tx) => freezePeriod(tx, asked))), lost };
}

/** The closing itself. */
export async function freezePeriod(tx: Tx, asked: ToClose): Promise<Closed> {
  const { brandId, period, note, rollups = ours } = asked;
  await keepWithin(tx, asked, () => lockFigures(tx, brandId));
  const judged = await judge(tx, asked);
  if (judged.known) return { closing: judged.known, isNew: false };
  const { reason, notFinal } = judged;
  const actor = asked.actor ?? currentAccount();
  const { rows } = await tx.query<{ id: number; last_day: string }>(
    `insert into ops.period_closings (brand_id, period, closed_at, counted_at, closed_by, note, reason, not_final)
     select $1, $2, t.at, t.at, $3, $4, $5, $6 from (select clock_timestamp() as at offset 0) t
     returning id, ((period + interval '1 month')::date - 1)::text as last_day`,
    [brandId, period, actor, note ?? null, reason ?? null, reason ? JSON.stringify(notFinal) : null],
  );
  const { id, last_day: lastDay } = only(rows);
  let frozen = 0;
  for (const rollup of rollups.filter(isRestated)) {
    const counts = await tx.query<{ rows: number }>(freezeStatement(rollup), [brandId, id, period, lastDay]);
    frozen += counts.rows.reduce((sum, { rows }) => sum + rows, 0);
  }
  await tx.query('update ops.period_closings set rows = $3 where brand_id = $1 and id = $2', [
    ...[brandId, id, frozen],
  ]);
  await recordAction(tx, {
    action: 'periods.close',
    ...{ brandId, target: monthOf(period), actor },
    ...{ before: { closed: false }, after: { closed: true, rows: frozen } },
    details: { ...(note && { note }), ...(reason && { anyway: reason, not_final: notFinal }) },
  });
  const closing = await findClosing(tx, brandId, period);
  if (closing === undefined) throw new TypeError(`${period} is not closed, after it was`);
  return { closing, isNew: true };
}

type Judged =
  | { known: Closing; now?: never }
  | { known?: never; now: Date; notFinal: NotFinal[]; reason?: string };

/** Refuses what cannot be closed. `known` is the closing of what is closed already. */
async function judge(tx: Tx, { brandId, period, anyway }: ToClose): Promise<Judged> {
  const brand = await keepBrand(tx, brandId);
  const known = await findClosing(tx, brandId, period);
  if (known !== undefined) return { known };
  await refuseOutOfOrder(tx, { brandId, brand, period });
  const now = await refuseUnlessOver(tx, { brandId, brand, period });
  const notFinal = await readNotFinal(tx, { brandId, period });
  if (notFinal.length === 0) return { now, notFinal };
  if (anyway === undefined) throw new PeriodNotFinal({ brand, period }, notFinal);
  return { now, notFinal, reason: anyway };
}

/** What was booked of it since, and what was frozen, stays stored, but counts no more. */
export async function reopenPeriod(
  tx: Tx,
  { brandId, period, reason, actor = currentAccount() }: Period & { reason: string },
): Promise<void> {
  const brand = await keepWithin(tx, { brandId, period }, () => lockFigures(tx, brandId));
  const which = { brand, period };
  const closing = await findClosing(tx, brandId, period);
  if (closing === undefined) throw new PeriodNotClosed(which);
  const last = await lastClosed(tx, brandId);
  if (last && last.period !== period)
    throw new PeriodOutOfOrder(
      `${monthOf(period)} of ${brand} cannot be reopened: ${monthOf(last.period)} is closed, and may have adjustments of it.`,
      `Reopen that one first: npx nightshift periods reopen ${monthOf(last.period)} --brand ${brand} --reason 'the reason'`,
      which,
    );
  await tx.query(
    `update ops.period_closings set reopened_at = clock_timestamp(), reopened_by = $3, reopened_reason = $4
     where brand_id = $1 and id = $2`,
    [brandId, closing.id, actor, reason],
  );
  await recordAction(tx, {
    action: 'periods.reopen',
    ...{ brandId, target: monthOf(period), actor },
    ...{ before: { closed: true, rows: closing.rows }, after: { closed: false }, details: { reason } },
  });
}

const WAIT_SECONDS_MAX = 60;
const LOCK_NOT_AVAILABLE = '55P03';

/** Takes the lock, then the brand: rollups that begin meanwhile wait too, so neither must take long. */
async function keepWithin(
  tx: Tx,
  { brandId, period, waitSeconds = WAIT_SECONDS_MAX }: ToClose,
  lock: () => Promise<void>,
): Promise<string> {
  await tx.query("select set_config('lock_timeout', $1, true)", [`${waitSeconds}s`]);
  const brand = await lock()
    .then(() => keepBrand(tx, brandId))
    .catch((error) => {
      const isBusy = error instanceof pg.DatabaseError && error.code === LOCK_NOT_AVAILABLE;
      throw isBusy ? new PeriodBusy(period) : error;
    });
  await tx.query("select set_config('lock_timeout', '0', true)");
  return brand;
}

type Named = Period & { brand: string };

async function refuseOutOfOrder(tx: Tx, { brandId, brand, period }: Named): Promise<void> {
  const last = await lastClosed(tx, brandId);
  if (last === undefined || last.next === period) return;
  const isBefore = period < last.period;
  throw new PeriodOutOfOrder(
    `Months are closed one after the other, and ${monthOf(last.period)} is the last closed one of ${brand}: ${monthOf(period)} ${isBefore ? 'is before it' : 'is not the next'}.`,
    isBefore
      ? 'What was not closed before the first closed month stays open.'
      : `Close the next one first: npx nightshift periods close ${monthOf(last.next)} --brand ${brand}`,
    { brand, period },
  );
}

/** Returns the instant, by the clock of the database. */
async function refuseUnlessOver(tx: Tx, { brandId, brand, period }: Named): Promise<Date> {
  const { rows } = await tx.query<{ time_zone: string; ends_at: Date; now: Date }>(
    `select b.time_zone, e.ends_at, clock_timestamp() as now
     from app.brands b
     cross join lateral (select fact.day_start(($2::date + interval '1 month')::date, b.time_zone) as ends_at) e
     where b.id = $1`,
    [brandId, period],
  );
  const { time_zone: timeZone, ends_at: endsAt, now } = only(rows);
  if (now < endsAt) throw new PeriodNotOver({ brand, period }, timeZone, endsAt);
  return now;
}

/**
 * By source, the first day that is not final and why. Before the first day with data nothing is judged: then the source must
 * have been read past the end of the month, or what it has of it is not known.
 */
async function readNotFinal(tx: Tx, { brandId, period }: Period): Promise<NotFinal[]> {
  const { rows } = await tx.query<NotFinal>(
    `select source, coalesce(min(day) filter (where is_of and state <> 'final'), $2::date)::text as day,
            case when bool_or(is_of) then count(*) filter (where is_of and state <> 'final') else min(length) end::int as days,
            (array_agg(state order by is_of desc, day) filter (where state <> 'final'))[1] as state,
            (array_agg(cause order by is_of desc, day) filter (where state <> 'final'))[1] as cause
     from (
       select c.source, c.day, c.state, c.cause, c.as_of >= p.ends_at as is_read, c.day < p.next as is_of, p.next - $2::date as length
       from app.brands b
       cross join lateral (
         select m.next, fact.day_start(m.next, b.time_zone) as ends_at
         from (select ($2::date + interval '1 month')::date as next) m
       ) p
       join bi.completeness c on c.brand_id = b.id
       where b.id = $1 and c.brand_id = $1 and c.day >= $2::date
     ) j
     group by source
     having bool_or(is_of and state <> 'final') or not bool_or(is_of) and bool_or(is_read) is not true
     order by source`,
    [brandId, period],
  );
  return rows;
}
