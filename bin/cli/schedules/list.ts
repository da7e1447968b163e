/** `schedules list` */
import type { Command } from 'commander';
import { scrubJson } from '#runtime/scrub.ts';
import type { Db } from '#sql/db/pool.ts';
import { listSchedules, ownerText, SCHEDULES_MAX, type ScheduleRow } from '#sql/schedules/find.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { NameNotFound } from '#sql/tenants/names.ts';
import { everyConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { nextFiring } from './firing.ts';
import { localTime } from './times.ts';
import { ownerOptions, type Which } from './which.ts';

const COLUMNS = ['id', 'of', 'name', 'expression', 'time_zone', 'state', 'next', 'next_utc', 'last'];

export function addList(command: Command, cli: Cli): void {
  ownerOptions(command.command('list').description('list all schedules, or those of one brand')).action(
    async ({ brand, connection }: Which) => {
      await using session = await openSession(cli);
      if (connection !== undefined) await assertConnection(session.db, connection, brand);
      else if (brand !== undefined) await findBrand(session.db, brand);
      const rows = await listSchedules(session.db, { brand, connection });
      cli.out.list(rows.slice(0, SCHEDULES_MAX).map(rowOf), COLUMNS);
      if (rows.length > SCHEDULES_MAX)
        cli.out.say('There are more. Narrow it down: add --brand or --connection.');
    },
  );
}

/** Several brands may have a connection of that name: the schedules of each are listed. */
async function assertConnection(db: Db, name: string, brand: string | undefined): Promise<void> {
  const names = (await everyConnection(db, brand)).map(({ connection }) => connection.name);
  if (!names.includes(name)) throw new NameNotFound('connection', name, names);
}

/** Names of fields as JSON has them. */
export function rowOf(row: ScheduleRow) {
  const next = nextFiring(row);
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
    next: next && localTime(next, row.timeZone),
    next_utc: next,
    last_slot: row.lastSlot,
    last: row.lastOutcome,
    last_job: row.lastJob,
  };
}
