/** Which jobs a person means: one by its number, or those that a filter finds. */
import { Argument, type Command, Option } from 'commander';
import type { Db } from '#sql/db/pool.ts';
import type { JobFilter, State } from '#sql/queue/find.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { brandOfFailure } from '#sql/triage/triage.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import { isoInstant } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { JobNotFound } from './errors.ts';

export type FilterOptions = {
  task?: string;
  brand?: string;
  connection?: string;
  state?: State;
  since?: string;
  text?: string;
  failure?: string;
};

export const filterNames = ['task', 'brand', 'connection', 'state', 'since', 'text', 'failure'] as const;

export function filterOptions(verb: Command, states: readonly State[]): Command {
  return verb
    .option('--task <task>', 'only jobs of this task')
    .option('--brand <brand>', 'only jobs of this brand')
    .option('--connection <connection>', 'only jobs of this connection, by its name or id')
    .addOption(new Option('--state <state>', 'only jobs in this state').choices(states))
    .option('--since <instant>', 'only jobs that were made since, or runs that ended since', isoInstant)
    .option('--text <text>', 'only jobs whose error contains this text (case-insensitive)')
    .option('--failure <id>', 'only jobs that bear this group of failures, as shown by failures list');
}

export async function readFilter(db: Db, options: FilterOptions): Promise<JobFilter> {
  const { brand, connection, task, state, since, text, failure } = options;
  if (task !== undefined) await assertTask(db, task);
  const owner = failure === undefined ? null : await brandOfFailure(db, failure);
  const filter = { task, state, since, text, failure, brandId: owner ?? undefined };
  if (connection !== undefined) {
    const found = await findTheConnection(db, connection, brand);
    return { ...filter, brandId: found.brand.id, connectionId: found.connection.id };
  }
  return brand === undefined ? filter : { ...filter, brandId: (await findBrand(db, brand)).id };
}

/** Ours, or one that the queue has seen. */
export async function assertTask(db: Db, task: string): Promise<void> {
  const { tasks } = await import('#tasks/index.ts');
  const { rows } = await db.query('select from graphile_worker._private_tasks where identifier = $1', [task]);
  if (rows.length === 0 && !tasks.some(({ name }) => name === task))
    throw new UsageError(`There is no task ${task}.`, `one of ${tasks.map(({ name }) => name).join(', ')}`);
}

export function jobArgument(name = '<job>'): Argument {
  return new Argument(name, 'number of the job, as shown by jobs list').argParser((text) => {
    if (!/^\d{1,18}$/.test(text)) throw new JobNotFound(text);
    return text;
  });
}
