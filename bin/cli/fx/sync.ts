/** `fx sync` */
import type { Command } from 'commander';
import { recordAction } from '#sql/tenants/audit.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { fxRates } from '#tasks/fx/fx_rates.ts';
import { rollup } from '#tasks/rollup.ts';
import type { Cli } from '../shared/noun.ts';
import { nowOption, type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { workOfRates } from '../shared/rates_work.ts';
import { openSession } from '../shared/session.ts';
import { finish, sayQueued } from '../shared/work.ts';
import { daysMovedSince } from './moved.ts';

type Options = WaitOptions & { full?: boolean; now?: string };

export function addSync(command: Command, cli: Cli): void {
  const verb = command
    .command('sync')
    .description('read missing rates from the ECB')
    .option('--full', 'read the whole history again, since 1999');
  waitOptions(verb, 'wait for the rates and the figures that they change, and exit with their status')
    .addOption(nowOption('read as of this instant'))
    .action((options: Options) => sync(cli, options));
}

async function sync(cli: Cli, options: Options): Promise<void> {
  const { full, now, wait } = options;
  await using session = await openSession(cli);
  const { db } = session;
  const payload = { ...(full && { full }), ...(now && { now }) };
  const id = await db.transaction(async (tx) => {
    await recordAction(tx, { action: 'fx.sync', target: fxRates.name, details: payload });
    return enqueue(tx, fxRates, payload, { keyMode: 'replace' }); // means now
  });
  const job = { id, label: 'exchange rates' };
  if (!wait) {
    await sayQueued(cli, session, [job]);
    return cli.out.list([{ job_id: id, task: fxRates.name }], ['job_id', 'task']);
  }
  const thenAlso = () => workOfRates(db, [rollup.name]);
  const [state] = await finish(cli, session, [job], { timeout: options.timeout, thenAlso });
  const row = {
    ...{ job_id: id, state: state?.state, ...state?.tally, error_code: state?.error_code },
    days: await daysMovedSince(db, id),
    error: state?.error_message ?? state?.tally?.incomplete,
  };
  cli.out.list([row], ['state', 'newest_day', 'added', 'changed', 'withdrawn', 'unchanged', 'days', 'error']);
  if (state?.tally?.warning) cli.out.say(`Note: ${state.tally.warning}`);
}
