/** Migrates, and keeps in the audit log who did. */
import { migrate } from '#sql/db/migrate.ts';
import type { Db } from '#sql/db/pool.ts';
import { recordAction } from '#sql/tenants/audit.ts';

/** After the migrations, not with them: the log may be one of the tables that they make. */
export async function migrateRecorded(db: Db): Promise<string[]> {
  const applied = await migrate(db);
  if (applied.length > 0)
    await db.transaction((tx) =>
      recordAction(tx, { action: 'platform.migrate', target: 'schema', after: { applied } }),
    );
  return applied;
}
