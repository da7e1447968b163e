import { placeOf } from '#sql/db/pool.ts';
import { grantReaders, keepPlatformCurrency, rolesToMake } from '#sql/tenants/platform.ts';
import { migrateRecorded } from '../shared/migrate_recorded.ts';
import type { Noun } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';

export const noun: Noun = (command, cli) => {
  command
    .description('bring the database to the schema of this version; does nothing if it is up to date')
    .action(async () => {
      await using session = await openSession(cli, { anySchema: true });
      const applied = await migrateRecorded(session.db);
      await keepPlatformCurrency(session.db, session.config.platformCurrency, new Date());
      const missing = await grantReaders(session.db);
      for (const line of rolesToMake(missing)) cli.out.say(line);
      const database = placeOf(session.url);
      cli.out.record({ database, applied, missing_roles: missing }, () =>
        applied.length === 0 ? [`${database} is up to date.`] : applied.map((name) => `applied ${name}`),
      );
    });
};
