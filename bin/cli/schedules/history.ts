/** `schedules history` */
import type { Command } from 'commander';
import { type LedgerRow, readLedger } from '#sql/schedules/ledger.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { countOption, findWhich, type Which, whichSchedule } from './which.ts';

const COLUMNS = ['local_time', 'slot', 'outcome', 'job_id', 'job_state', 'decided_at', 'detail'];

export function addHistory(command: Command, cli: Cli): void {
  whichSchedule(
    command
      .command('history')
      .description('show the past slots of a schedule and what became of each, latest first'),
  )
    .addOption(countOption(10_000, 50))
    .action(async (said: string, options: Which & { count: number }) => {
      await using session = await openSession(cli);
      const { id } = await findWhich(session.db, said, options);
      cli.out.list(await readLedger(session.db, id, options.count), COLUMNS);
    });
}

export function ledgerLine({ local_time, outcome, job_id, job_state, detail }: LedgerRow): string {
  const job = job_id ? `  job ${job_id} ${job_state ?? 'gone'}` : '';
  return `  ${local_time}  ${outcome}${job}${detail ? `  ${detail}` : ''}`;
}
