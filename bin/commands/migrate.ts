import { migrate } from '#sql/migrate.ts';
import { placeOf } from '#sql/pool.ts';
import type { Noun } from '../cli.ts';
import { openSession } from '../session.ts';

export const noun: Noun = (command, cli) => {
  command
    .description('bring the database to the schema of this version; does nothing when it is there')
    .action(async () => {
      await using session = await openSession(cli, { anySchema: true });
      const applied = await migrate(session.db);
      const database = placeOf(session.url);
      cli.out.record({ database, applied }, () =>
        applied.length === 0 ? [`${database} is up to date.`] : applied.map((name) => `applied ${name}`),
      );
    });
};
