/** Which schedule a person means, and who the person is. */
import { type Command, Option } from 'commander';
import type { Db } from '#sql/db/pool.ts';
import { findSchedule, type ScheduleRow } from '#sql/schedules/find.ts';
import { currentAccount } from '#sql/tenants/audit.ts';
import { tasks } from '#tasks/index.ts';
import type { Actor } from '#workers/scheduler/actions.ts';
import { wholeNumber } from '../ui/arguments.ts';

export type Which = { brand?: string; connection?: string };

export function whichSchedule(verb: Command): Command {
  return ownerOptions(
    verb.argument('<schedule>', 'number of the schedule, as shown by schedules list, or its name'),
  );
}

export function ownerOptions(verb: Command): Command {
  return verb
    .option('--brand <brand>', 'brand of the schedule')
    .option('--connection <connection>', 'connection of the schedule');
}

export function findWhich(db: Db, said: string, { brand, connection }: Which): Promise<ScheduleRow> {
  const isNumber = /^\d{1,15}$/.test(said);
  return findSchedule(db, { ...(isNumber ? { id: Number(said) } : { name: said }), brand, connection });
}

export function actor(): Actor {
  return { by: currentAccount(), tasks };
}

export function countOption(most: number, usual: number): Option {
  return new Option('--count <n>', 'how many to show').argParser(wholeNumber(1, most)).default(usual);
}
