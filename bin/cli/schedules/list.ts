/** `schedules list` */
import type { Command } from 'commander';
import { scrubJson } from '#runtime/scrub.ts';
import { listSchedules, ownerText, type ScheduleRow } from '#sql/schedules/find.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { localTime } from './times.ts';
import { ownerOptions, type Which } from './which.ts';

const COLUMNS = ['id', 'of', 'name', 'expression', 'time_zone', 'state', 'next', 'next_utc', 'last'];

export function addList(command: Command, cli: Cli): void {
  ownerOptions(command.command('list').description('list all schedules, or those of one brand')).action(
    async ({ brand, connection }: Which) => {
      await using session = await openSession(cli);
      if (brand !== undefined) await findBrand(session.db, brand);
      const rows = await listSchedules(session.db, { brand, connection });
      cli.out.list(rows.map(rowOf), COLUMNS);
    },
  );
}

/** Names of fields as JSON has them. */
export function rowOf(row: ScheduleRow) {
  return {
    id: row.id,
    of: ownerText(row),
    brand: row.brand,
    connection: row.connection,
    name: row.name,
    task: row.task,
    payload: JSON.parse(scrubJson(JSON.stringify(row.payload))),
    expression: row.expression,
    time_zone: row.timeZone,
    catch_up: row.catchUp,
    catch_up_max: row.catchUpMax,
    overlap: row.overlap,
    excluded_days: row.excludedDays,
    pause_after_failures: row.pauseAfterFailures,
    state: row.pausedAt ? 'paused' : 'active',
    paused_at: row.pausedAt,
    paused_until: row.pausedUntil,
    paused_by: row.pausedBy,
    paused_reason: row.pausedReason,
    next: row.nextSlot && localTime(row.nextSlot, row.timeZone),
    next_utc: row.nextSlot,
    last_slot: row.lastSlot,
    last: row.lastOutcome,
    last_job: row.lastJob,
  };
}
