/** `schedules backfill` */
import { type Command, Option } from 'commander';
import type { Tx } from '#sql/db/pool.ts';
import {
  type Backfill,
  type Chosen,
  lockBackfill,
  planBackfill,
  startBackfill,
} from '#sql/schedules/backfills.ts';
import { ScheduleNotFound } from '#sql/schedules/find.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { onSchedule, ScheduleRefused, ScheduleState } from '#workers/scheduler/actions.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { isoInstant, wholeNumber } from '../ui/arguments.ts';
import { count } from '../ui/format.ts';
import { actor, findWhich, type Which, whichSchedule } from './which.ts';

type Options = Which & {
  since?: string;
  until?: string;
  only: Chosen;
  newestFirst?: boolean;
  concurrency: number;
  dryRun?: boolean;
  plan?: number;
};

export function addBackfill(command: Command, cli: Cli): void {
  whichSchedule(
    command.command('backfill').description('fire past slots again; the schedule itself continues unchanged'),
  )
    .option('--since <instant>', 'only slots after this instant', isoInstant)
    .option('--until <instant>', 'only slots up to this instant (default: now)', isoInstant)
    .addOption(
      new Option('--only <which>', 'missing: slots that did not fire; failed: slots whose job is dead')
        .choices(['missing', 'failed', 'all'])
        .default('missing'),
    )
    .option('--newest-first', 'start with the latest slot')
    .option('--concurrency <n>', 'how many jobs are on the queue at a time', wholeNumber(1, 100), 1)
    .option('--dry-run', 'store and show a plan; --plan runs it')
    .addOption(
      new Option('--plan <n>', 'run a stored plan with exactly the slots that it showed')
        .argParser(wholeNumber(1, 999_999_999))
        .conflicts(['since', 'until', 'only', 'newestFirst', 'concurrency']), // the plan has its own
    )
    .action(async (said: string, options: Options) => backfill(cli, said, options));
}

async function backfill(cli: Cli, said: string, options: Options): Promise<void> {
  await using session = await openSession(cli);
  const { id, name, brandId } = await findWhich(session.db, said, options);
  const target = `${id} ${name}`;
  const plan = options.plan ?? (await makePlan(session, id, options));
  const slots = await slotsOfPlan(session, id, plan);
  if (options.dryRun) {
    cli.out.list(slots, ['position', 'local_day', 'slot', 'outcome']);
    return cli.out.say(
      `Plan ${plan}: ${count(slots.length, 'slot')}. Run it: npx nightshift schedules backfill ${id} --plan ${plan}`,
    );
  }
  const concurrency = await session.db.transaction(async (tx) => {
    const started = await start(tx, id, plan);
    const details = { plan, slots: slots.length };
    await recordAction(tx, {
      action: 'schedules.backfill',
      ...{ target, details },
      ...(brandId && { brandId }),
    });
    return started.concurrency;
  });
  cli.out.record({ plan, slots: slots.length }, () => [
    `Backfill ${plan} runs: ${count(slots.length, 'slot')}, ${concurrency} at a time. A scheduler makes its jobs.`,
  ]);
}

async function makePlan({ db }: Session, id: number, options: Options): Promise<number> {
  const { since, only, newestFirst = false, concurrency } = options;
  if (since === undefined)
    throw new ScheduleRefused('From when on?', { hint: 'Add --since 2026-03-01T00:00:00Z, or --plan N.' });
  // What has come due is decided first, so no slot that the schedule is about to fire counts as missing.
  return onSchedule(db, id, actor(), async (tx, schedule, now) => {
    const wanted = options.until === undefined ? now : new Date(options.until);
    const until = wanted > now ? now : wanted; // what lies ahead is the schedule's own
    if (until <= new Date(since))
      throw new ScheduleRefused('There is no time between --since and --until.', { hint: 'Check the two.' });
    const plan = { since: new Date(since), until, chosen: only, newestFirst, concurrency, by: actor().by };
    return planBackfill(tx, schedule, plan);
  });
}

async function slotsOfPlan({ db }: Session, scheduleId: number, plan: number) {
  const { rows } = await db.query<{
    position: number;
    slot: Date;
    local_day: string;
    outcome: string | null;
  }>(
    `select s.position, s.slot, s.local_day, l.outcome
     from ops.backfills b
     join ops.backfill_slots s on s.backfill_id = b.id
     left join ops.schedule_slots l on l.schedule_id = b.schedule_id and l.slot = s.slot
     where b.id = $1 and b.schedule_id = $2 order by s.position`,
    [plan, scheduleId],
  );
  return rows;
}

async function start(tx: Tx, scheduleId: number, plan: number): Promise<Backfill> {
  const backfill = await lockBackfill(tx, plan, { wait: true });
  if (backfill?.scheduleId !== scheduleId) throw new ScheduleNotFound('plan of a backfill', String(plan));
  if (backfill.startedAt !== null)
    throw new ScheduleState(`Plan ${plan} was started before.`, {
      hint: 'Make another: npx nightshift schedules backfill … --dry-run',
    });
  await startBackfill(tx, backfill);
  return backfill;
}
