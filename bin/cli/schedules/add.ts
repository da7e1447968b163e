/** `schedules add` */
import { type Command, InvalidArgumentError } from 'commander';
import { findBrand } from '#sql/tenants/brands.ts';
import { tasks } from '#tasks/index.ts';
import { addSchedule, FIRED_AT_ONCE_MAX, ScheduleRefused } from '#workers/scheduler/actions.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { slug } from '../ui/arguments.ts';
import { nextFiring } from './firing.ts';
import { type PolicyOptions, policyOf, policyOptions } from './policy_options.ts';
import { localTime } from './times.ts';
import { actor, findWhich, ownerOptions, type Which } from './which.ts';

type Options = Which &
  PolicyOptions & { task: string; expression: string; payload?: Record<string, unknown> };

const PAYLOAD_CHARS_MAX = 10_000;

export function addAdd(command: Command, cli: Cli): void {
  const verb = command
    .command('add')
    .description('add a schedule that runs a task by the clock')
    .argument('<name>', 'its name', slug)
    .requiredOption('--task <task>', `task to run, one of ${tasks.map(({ name }) => name).join(', ')}`)
    .requiredOption(
      '--expression <fields>',
      "when it fires: minute hour day month weekday, such as '0 2 * * *'",
    )
    .option('--payload <json>', 'fields of the job’s payload besides brand and connection', payload);
  policyOptions(ownerOptions(verb)).action(async (name: string, options: Options) => {
    await using session = await openSession(cli);
    const { db } = session;
    const { brandId, connectionId } = await ownerOf(options);
    const {
      timeZone = null,
      catchUp = 'latest',
      catchUpMax = catchUp === 'all' ? FIRED_AT_ONCE_MAX : 1,
      overlap = 'skip',
      ...rest
    } = policyOf(options);
    const { task, expression, payload: given = {} } = options;
    const policy = { ...rest, timeZone, catchUp, catchUpMax, overlap };
    const schedule = { name, task, payload: given, brandId, connectionId, ...policy, expression };
    const id = await addSchedule(db, schedule, actor());
    const added = await findWhich(db, String(id), {});
    const next = nextFiring(added);
    cli.out.record({ id, name, next }, () => [
      `Added schedule ${id} ${name}. It fires next at ${next ? localTime(next, added.timeZone) : 'no time'}.`,
    ]);

    async function ownerOf({ brand, connection }: Which) {
      if (connection === undefined)
        return { brandId: brand === undefined ? null : (await findBrand(db, brand)).id, connectionId: null };
      if (brand === undefined)
        throw new ScheduleRefused('A connection belongs to a brand.', { hint: 'Add --brand.' });
      const found = await findTheConnection(db, connection, brand);
      return { brandId: found.brand.id, connectionId: found.connection.id };
    }
  });
}

function payload(text: string): Record<string, unknown> {
  try {
    const value: unknown = text.length <= PAYLOAD_CHARS_MAX ? JSON.parse(text) : undefined;
    if (typeof value === 'object' && value !== null && !Array.isArray(value))
      return value as Record<string, unknown>;
  } catch {
    // said below, with what would have been right
  }
  throw new InvalidArgumentError(`It should be a JSON object like {"full":true}`);
}
