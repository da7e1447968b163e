/** `snapshots restore` */
import { type Command, Option } from 'commander';
import { recordAction } from '#sql/tenants/audit.ts';
import { restoreIntoSchema } from '#tasks/snapshots/restore/into_schema.ts';
import { restoreRecorded } from '#tasks/snapshots/restore/recorded.ts';
import { readWhole } from '#tasks/snapshots/verify.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { openSnapshots } from '../shared/snapshots.ts';
import { grouped } from '../ui/format.ts';
import { startProgress } from '../ui/progress.ts';
import { ofBrand } from './which.ts';

type Options = { latest?: boolean; brand: string; into: 'schema' };

export function addRestore(command: Command, cli: Cli): void {
  command
    .command('restore')
    .description('restore a snapshot of a brand: into a schema of its own, to look at')
    .argument('[id]', 'id of the snapshot, or the beginning of it')
    .option('--latest', 'the latest snapshot of the brand')
    .requiredOption('--brand <brand>', 'whose snapshot')
    .addOption(
      new Option('--into <where>', 'schema: new tables beside the live ones')
        .choices(['schema'])
        .makeOptionMandatory(),
    )
    .action((id: string | undefined, options: Options) => restore(cli, id, options));
}

async function restore(cli: Cli, id: string | undefined, options: Options): Promise<void> {
  await using session = await openSession(cli);
  const { db } = session;
  const { store, sealer, minutes } = await openSnapshots(cli, session);
  const snapshot = await ofBrand(session, id, options);
  const { brandId, id: found, brand } = snapshot;
  const content = await readWhole({ store, sealer, snapshot });
  using progress = startProgress(cli.io.stderr);
  const { schema, tables } = await restoreRecorded(db, snapshot, async () => {
    await db.transaction((tx) =>
      recordAction(tx, { action: 'snapshots.restore', brandId, target: found, details: { into: 'schema' } }),
    );
    return restoreIntoSchema({
      ...{ db, store, sealer, brandId, content, limitSeconds: minutes * 60 },
      progress: ({ parts, of }) => progress.show([`${brand} ${found}: ${parts} of ${of} files`]),
    });
  });
  progress.show([]);
  const { rows } = content.totals;
  cli.out.record({ snapshot: found, brand, schema, tables, rows }, () => [
    `${found} of ${brand} is restored in schema ${schema}: ${grouped(rows)} rows in ${tables} tables, such as ${schema}.agg_daily_sales`,
  ]);
  cli.out.say(
    `It has personal data, and no snapshot holds it. Once you have seen enough: drop schema ${schema} cascade`,
  );
}
