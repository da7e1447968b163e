/** `snapshots restore` */
import { type Command, Option } from 'commander';
import { builtIn } from '#connectors/providers.ts';
import type { Snapshot } from '#sql/snapshots/catalogue.ts';
import { dropStatement } from '#sql/snapshots/holding.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { restoreIntoDatabase } from '#tasks/snapshots/restore/into_database.ts';
import { restoredName, restoreIntoSchema } from '#tasks/snapshots/restore/into_schema.ts';
import { restoreRecorded } from '#tasks/snapshots/restore/recorded.ts';
import { readWhole } from '#tasks/snapshots/verify.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { openSnapshots } from '../shared/snapshots.ts';
import { databaseName } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { grouped } from '../ui/format.ts';
import { startProgress } from '../ui/progress.ts';
import { type LiveChoice, restoreLive } from './restore_live.ts';
import { ofBrand } from './which.ts';

type Into = 'schema' | 'database' | 'live';
type Options = { latest?: boolean; brand: string; into: Into; name?: string } & LiveChoice;

export function addRestore(command: Command, cli: Cli): void {
  command
    .command('restore')
    .description(
      'restore a snapshot of a brand: into a schema or a database of its own, or in place of what is live',
    )
    .argument('[id]', 'id of the snapshot, or the beginning of it')
    .option('--latest', 'the latest snapshot of the brand, of everything if there is one')
    .requiredOption('--brand <brand>', 'whose snapshot')
    .addOption(
      new Option(
        '--into <where>',
        'schema: new tables beside the live ones; database: a new database on the same server; live: in their place',
      )
        .choices(['schema', 'database', 'live'])
        .makeOptionMandatory(),
    )
    .option('--name <database>', 'with database: its name (default: restored_ and the id)', databaseName)
    .option('--tables <names>', 'with live: only these, such as agg.daily_sales,agg.daily_mrr', words)
    .option('--dry-run', 'with live: show what differs, and change nothing')
    .option('--yes <brand>', 'with live: confirm by repeating the brand, for scripts')
    .action((id: string | undefined, options: Options) => restore(cli, id, options));
}

async function restore(cli: Cli, id: string | undefined, options: Options): Promise<void> {
  await using session = await openSession(cli);
  const snapshot = await ofBrand(session, id, options);
  if (options.name !== undefined && options.into !== 'database')
    throw new UsageError('Only a database has a name to choose.', 'add --into database, or leave out --name');
  if (options.into === 'live') return await restoreLive(cli, session, snapshot, options);
  if (options.tables ?? options.dryRun ?? options.yes)
    throw new UsageError(
      `A ${options.into} is new, so there is nothing to choose or to confirm.`,
      'add --into live, or leave it out',
    );
  if (options.into === 'schema') return await restoreSchema(cli, session, snapshot);
  await restoreDatabase(cli, session, snapshot, options.name);
}

const words = (text: string) => text.split(',');

async function restoreSchema(cli: Cli, session: Session, snapshot: Snapshot): Promise<void> {
  const { db } = session;
  const { store, sealer, minutes } = await openSnapshots(cli, session);
  const { brandId, id: found, brand } = snapshot;
  const content = await readWhole({ db, store, sealer, snapshot });
  const { providers } = cli.io.providers ?? builtIn;
  using progress = startProgress(cli.io.stderr);
  const { schema, tables } = await restoreRecorded(db, snapshot, async () => {
    await db.transaction((tx) =>
      recordAction(tx, { action: 'snapshots.restore', brandId, target: found, details: { into: 'schema' } }),
    );
    return restoreIntoSchema({
      ...{ db, store, sealer, brandId, content, providers, limitSeconds: minutes * 60 },
      progress: ({ parts, of }) => progress.show([`${brand} ${found}: ${parts} of ${of} files`]),
    });
  });
  progress.show([]);
  const { rows } = content.totals;
  cli.out.record({ snapshot: found, brand, schema, tables, rows }, () => [
    `${found} of ${brand} is restored in schema ${schema}: ${grouped(rows)} rows in ${tables} tables, such as ${schema}.agg_daily_sales`,
  ]);
  cli.out.say(
    `It has personal data, and no snapshot holds it. Once you have seen enough: ${dropStatement({ kind: 'schema', name: schema })}`,
  );
}

async function restoreDatabase(
  cli: Cli,
  session: Session,
  snapshot: Snapshot,
  given?: string,
): Promise<void> {
  const { db } = session;
  const { url, store, sealer, minutes } = await openSnapshots(cli, session);
  const { brandId, id: found, brand } = snapshot;
  const content = await readWhole({ db, store, sealer, snapshot });
  const name = given ?? restoredName(content);
  using progress = startProgress(cli.io.stderr);
  const { database, tables } = await restoreRecorded(db, snapshot, async () => {
    const details = { into: 'database', database: name };
    await db.transaction((tx) =>
      recordAction(tx, { action: 'snapshots.restore', brandId, target: found, details }),
    );
    return restoreIntoDatabase({
      ...{ db, url, store, sealer, brandId, content, name, limitSeconds: minutes * 60 },
      progress: ({ parts, of }) => progress.show([`${brand} ${found}: ${parts} of ${of} files`]),
    });
  });
  progress.show([]);
  const { rows } = content.totals;
  cli.out.record({ snapshot: found, brand, database, tables, rows }, () => [
    `${found} of ${brand} is restored in database ${database}: ${grouped(rows)} rows in ${tables} tables, with its keys and views, such as bi.daily_sales`,
  ]);
  cli.out.say(
    `It has personal data, and no snapshot holds it. Once you have seen enough, in psql: ${dropStatement({ kind: 'database', name: database })}`,
  );
}
