/** `nightshift up`, whose schedulers go by the instant in public.clock while there is one. */
import type { Db } from '#sql/db/pool.ts';
import { run } from '../../../bin/cli/program.ts';

const CLOCK = 'select coalesce((select at from public.clock), clock_timestamp()) as at';

const { stdin, stdout, stderr } = process;
process.exitCode = await run(['up'], process.env, {
  ...{ stdin, stdout, stderr },
  clock: async (db: Db) => (await db.query<{ at: Date }>(CLOCK)).rows[0]?.at ?? new Date(),
});
