/** Levels 3 to 5: a snapshot is restored where nobody sees it, and timed. */
import type { Stream } from '#connectors/kit/stream.ts';
import type { Db } from '#sql/db/pool.ts';
import { rollups as ours } from '#sql/rollups/index.ts';
import type { Rollup } from '#sql/rollups/rollup.ts';
import { type MadeDatabase, type Servers, withDatabase } from '#sql/snapshots/databases.ts';
import type { Manifest } from '../manifest.ts';
import type { Filling } from '../restore/fill.ts';
import { fillDatabase } from '../restore/into_database.ts';
import { proveRestore, RestoreRefused } from '../restore/into_schema.ts';
import { type Figures, proveFigures } from './figures.ts';

/** Where it is restored, and how long that may last. */
export type ProvingPlace = Servers & {
  db: Pick<Db, 'transaction'>;
  streams: readonly Stream[];
  rollups?: readonly Rollup[] | undefined;
};

export type Proved = {
  /** How long the restore took. */
  recoverySeconds: number;
  /** From level 4 on. */
  figures?: Figures;
  /** The version of PostgreSQL that it was restored on, from level 4 on. */
  serverVersion?: number;
};

export type Proving = Filling & { content: Manifest; level: number; place: ProvingPlace };

export const LEVEL_OF_RESTORE = 3;
export const LEVEL_OF_FIGURES = 4;
export const LEVEL_OF_VERSIONS = 5;

export async function proveRestored(options: Proving): Promise<Proved> {
  const { content, level, place } = options;
  const began = performance.now();
  if (level < LEVEL_OF_FIGURES) {
    await proveRestore({ ...options, ...place });
    return { recoverySeconds: secondsSince(began) };
  }
  if (content.scope !== 'all')
    throw new RestoreRefused(
      `Snapshot ${content.id} has figures without the rows that they are made of, so they cannot be computed again.`,
      'Verify it at level 3, or take one with all: npx nightshift snapshots list',
    );
  return withDatabase(place, async (made) => {
    const serverVersion = await versionOf(made, options);
    await fillDatabase(made.db, { ...options, limitSeconds: place.limitSeconds });
    const recoverySeconds = secondsSince(began);
    const { streams, rollups = ours } = place;
    const signal = options.signal ?? AbortSignal.timeout(place.limitSeconds * 1_000);
    const figures = await proveFigures({ made: made.db, content, rollups, streams, signal });
    return { recoverySeconds, figures, serverVersion };
  });
}

const PER_MAJOR = 10_000;
export const majorOf = (version: number) => Math.floor(version / PER_MAJOR);

/** Level 5 says nothing on the version that the snapshot is from. */
async function versionOf({ db }: MadeDatabase, { content, level }: Proving): Promise<number> {
  const { rows } = await db.query<{ version: number }>(
    "select current_setting('server_version_num')::int as version",
  );
  const version = rows[0]?.version ?? 0;
  if (level >= LEVEL_OF_VERSIONS && majorOf(version) === majorOf(content.server_version))
    throw new RestoreRefused(
      `Snapshot ${content.id} is from PostgreSQL ${majorOf(content.server_version)}, and the server to prove it on is too.`,
      'Name a server of another major version, or prove it at level 4.',
    );
  return version;
}

function secondsSince(began: number): number {
  return Math.round(performance.now() - began) / 1_000;
}
