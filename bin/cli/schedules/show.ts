/** `schedules show` */
import type { Command } from 'commander';
import { ownerText } from '#sql/schedules/find.ts';
import { readLedger } from '#sql/schedules/ledger.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { instant } from '../ui/output.ts';
import { ledgerLine } from './history.ts';
import { rowOf } from './list.ts';
import { findWhich, type Which, whichSchedule } from './which.ts';

const SLOTS_SHOWN = 5;

export function addShow(command: Command, cli: Cli): void {
  whichSchedule(
    command.command('show').description('show a schedule: its rules, its next slot and its last slots'),
  ).action(async (said: string, which: Which) => {
    await using session = await openSession(cli);
    const row = await findWhich(session.db, said, which);
    const slots = await readLedger(session.db, row.id, SLOTS_SHOWN);
    const shown = rowOf(row);
    cli.out.record({ ...shown, slots }, () => [
      `schedule ${row.id}  ${ownerText(row)}  ${row.name}  ${shown.state}`,
      `  fires ${row.task} at ${row.expression} (${row.timeZone}); day of month and weekday must both match`,
      ...(Object.keys(row.payload).length > 0 ? [`  with ${JSON.stringify(shown.payload)}`] : []),
      `  missed slots: ${catchUpText(row.catchUp, row.catchUpMax)}; if the previous job is still running: ${row.overlap}`,
      ...(row.excludedDays.length > 0 ? [`  not on ${row.excludedDays.join(', ')}`] : []),
      ...(row.pauseAfterFailures ? [`  paused after ${row.pauseAfterFailures} failed slots in a row`] : []),
      ...pausedLines(row),
      `  next ${shown.next ?? 'never'}${shown.next_utc ? `  (${instant(shown.next_utc)})` : ''}`,
      ...slots.map(ledgerLine),
    ]);
  });
}

function catchUpText(catchUp: string, max: number): string {
  if (catchUp === 'all') return `all fire, the latest ${max} at most`;
  return catchUp === 'latest' ? 'the latest fires' : 'none fires';
}

function pausedLines(row: {
  pausedAt: Date | null;
  pausedUntil: Date | null;
  pausedBy: string | null;
  pausedReason: string | null;
}) {
  if (row.pausedAt === null) return [];
  const until = row.pausedUntil ? ` until ${instant(row.pausedUntil)}` : '';
  return [`  paused ${instant(row.pausedAt)}${until} by ${row.pausedBy}: ${row.pausedReason}`];
}
