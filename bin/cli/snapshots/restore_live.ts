/** `snapshots restore --into live`: a report, a typed confirmation, a snapshot of the present, one transaction. */
import { builtIn } from '#connectors/providers.ts';
import { stopSignal } from '#runtime/shutdown.ts';
import type { Snapshot } from '#sql/snapshots/catalogue.ts';
import { bringBack } from '#tasks/snapshots/restore/bring_back.ts';
import { compareLive } from '#tasks/snapshots/restore/compare.ts';
import { isRestored } from '#tasks/snapshots/restore/into_live.ts';
import { readWhole } from '#tasks/snapshots/verify.ts';
import { sayLost } from '../shared/lost.ts';
import type { Cli } from '../shared/noun.ts';
import type { Session } from '../shared/session.ts';
import { openSnapshots } from '../shared/snapshots.ts';
import { confirmName } from '../ui/confirm.ts';
import { Interrupted, UsageError } from '../ui/errors.ts';
import { count, grouped } from '../ui/format.ts';
import { differenceRow, sayDifferences } from './diff.ts';

export type LiveChoice = { tables?: string[]; dryRun?: boolean; yes?: string };

export async function restoreLive(
  cli: Cli,
  session: Session,
  snapshot: Snapshot,
  { brand: slug, tables: only, dryRun = false, yes }: LiveChoice & { brand: string },
): Promise<void> {
  const { db } = session;
  const { url, store, sealer, minutes } = await openSnapshots(cli, session);
  const { brandId, id } = snapshot;
  const limitSeconds = minutes * 60;
  const content = await readWhole({ db, store, sealer, snapshot });
  assertTables(
    id,
    content.tables.map(({ name }) => name),
    only,
  );
  const { streams, providers } = cli.io.providers ?? builtIn;
  const restoring = { db, store, sealer, brandId, content, providers, limitSeconds };
  const found = await compareLive({ ...restoring, isWanted: (name) => isRestored(name, only) });
  if (!cli.out.json || dryRun) sayDifferences(cli, found);
  if (found.length === 0) return cli.out.say(`Nothing differs from ${id}, so there is nothing to restore.`);
  if (dryRun) return;
  await confirmName(
    cli.io,
    `Rows of ${slug} become those of ${snapshot.createdAt.toISOString()}. Type ${slug} to restore them: `,
    {
      ...{ name: slug, given: yes },
    },
  );
  cli.out.say(
    `Jobs of ${slug} wait until this is done. If it is killed: npx nightshift jobs resume --brand ${slug}`,
  );
  const brand = { id: brandId, slug };
  const stopping = new AbortController();
  const again = `npx nightshift snapshots restore ${id} --brand ${slug} --into live`;
  void stopSignal().then((signal) =>
    stopping.abort(new Interrupted(signal, 'All of it was restored or nothing.', again)),
  );
  const { before, tables, rollups, redefined, lost } = await bringBack({
    ...{ ...restoring, url, minutes, snapshot, only, streams, brand, now: new Date() },
    signal: stopping.signal,
  });
  const undo = `npx nightshift snapshots restore ${before} --brand ${slug} --into live`;
  const sum = (of: 'deleted' | 'inserted') =>
    Object.values(tables).reduce((total, one) => total + one[of], 0);
  cli.out.record(
    {
      snapshot: id,
      brand: slug,
      into: 'live',
      before,
      undo,
      tables,
      rollups,
      redefined,
      lost,
      differences: found.map(differenceRow),
    },
    () => [
      `${count(Object.keys(tables).length, 'table')} of ${slug} ${Object.keys(tables).length === 1 ? 'is' : 'are'} as of ${content.created_at}: ${grouped(sum('inserted'))} rows written, ${grouped(sum('deleted'))} deleted`,
    ],
  );
  cli.out.say(`What was there before is snapshot ${before}. To undo this: ${undo}`);
  sayLost(cli, lost);
  if (redefined.length > 0)
    cli.out.say(
      `Since the snapshot ${redefined.join(', ')} changed, which stays so: all days concerned are computed for what holds now.`,
    );
  if (rollups > 0)
    cli.out.say(`Figures are computed again by ${count(rollups, 'job')}: npx nightshift jobs list`);
  else cli.out.say('Figures stay as they were then, until rows change or rollup run computes them.');
}

function assertTables(id: string, known: readonly string[], only: readonly string[] | undefined): void {
  const choice = known.filter((name) => /^(agg|raw)\./.test(name));
  const wrong = only?.filter((name) => !choice.includes(name)) ?? [];
  if (wrong.length > 0)
    throw new UsageError(
      `The snapshot has no table ${wrong.join(', ')} that is restored by itself.`,
      `Those of agg and raw can be named: npx nightshift snapshots show ${id} lists what it has`,
    );
}
