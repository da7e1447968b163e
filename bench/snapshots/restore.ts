/**
 * Restores of the year beside pg_restore of a dump of the same database on the same server: all of it into new tables, and one
 * shop of the live ones, whose orders were deleted.
 */
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { builtIn } from '../../connectors/providers.ts';
import { findSnapshot } from '../../sql/snapshots/catalogue.ts';
import { localStore } from '../../tasks/snapshots/local_store.ts';
import { bringBack } from '../../tasks/snapshots/restore/bring_back.ts';
import { restoreIntoSchema } from '../../tasks/snapshots/restore/into_schema.ts';
import type { Figure } from '../support/bench.ts';
import { compare, timed } from '../support/measure.ts';
import type { BenchDb, BenchServer } from '../support/server.ts';
import { canDump, DUMP_LIMIT_MS, fillYear, keys, ROUNDS, run, snapshot } from './year.ts';

const LIMIT_SECONDS = 600;
const LOST = ['orders', 'order_lines', 'sales', 'agreements', 'transactions', 'refunds'];

export async function benchRestores(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  await fillYear(db);
  await using opened = new AsyncDisposableStack();
  const dir = await mkdtemp(join(tmpdir(), 'nightshift-bench-restores-'));
  opened.defer(() => rm(dir, { recursive: true, force: true }));
  const store = localStore(join(dir, 'store'));
  const { content } = await snapshot(db, join(dir, 'store'));
  const { brand_id: brandId, id } = content;
  const { providers, streams } = builtIn;
  const restoring = { db, store, sealer: keys, brandId, content, limitSeconds: LIMIT_SECONDS, providers };
  const ours = async () => {
    let schema = '';
    const ms = await timed(async () => {
      ({ schema } = await restoreIntoSchema(restoring));
    });
    await db.query(`drop schema ${schema} cascade`);
    return ms;
  };
  const ways: Readonly<Record<string, () => Promise<number>>> = {
    ...((await canDump(server.version)) && (await peers(db, dir))),
    ours,
  };
  const ms = await compare(ROUNDS, ways);
  const lost = await loseAShop(db, brandId);
  const found = await findSnapshot(db, id, brandId);
  const brand = { id: brandId, slug: content.brand };
  const live = await timed(() =>
    bringBack({
      ...{
        ...restoring,
        url: db.url,
        minutes: LIMIT_SECONDS / 60,
        snapshot: found,
        streams,
        brand,
        now: new Date(),
      },
    }),
  );
  const seconds = (ms.ours ?? 0) / 1_000;
  return [
    { name: 'rows of the year', value: content.totals.rows, unit: 'rows' },
    { name: 'restored into a schema', value: seconds, unit: 's', bar: { below: 60 } },
    ...['fc', 'fd'].flatMap((form): Figure[] => {
      const theirs = ms[form];
      if (theirs === undefined || ms.ours === undefined) return [];
      const name = form === 'fc' ? 'pg_restore -Fc' : 'pg_restore -Fd -j2';
      return [
        { name, value: theirs / 1_000, unit: 's' },
        {
          name: `${name} / restored into a schema, time`,
          value: theirs / ms.ours,
          unit: 'x',
          ...(form === 'fc' && { bar: { atLeast: 1 } }),
        },
      ];
    }),
    { name: 'rows of one shop deleted', value: lost, unit: 'rows' },
    {
      name: 'brought back among the live ones, what was there kept first',
      value: live / 1_000,
      unit: 's',
      bar: { below: 60 },
    },
  ];
}

async function peers(db: BenchDb, dir: string): Promise<Record<string, () => Promise<number>>> {
  const forms = { fc: ['-Fc'], fd: ['-Fd', '-j', '2'] };
  for (const [form, options] of Object.entries(forms))
    await run('pg_dump', [...options, '-f', join(dir, form), '-d', db.url], { timeout: DUMP_LIMIT_MS });
  const restore = (form: string, options: readonly string[]) => async () => {
    const name = `nightshift_bench_restored_${randomBytes(4).toString('hex')}`;
    const url = new URL(db.url);
    url.pathname = name;
    await db.query(`create database ${name} template template0`);
    try {
      return await timed(() =>
        run('pg_restore', ['--no-owner', '--no-privileges', ...options, '-d', url.href, join(dir, form)], {
          timeout: DUMP_LIMIT_MS,
        }),
      );
    } finally {
      await db.query(`drop database ${name} with (force)`);
    }
  };
  return { fc: restore('fc', []), fd: restore('fd', ['-j', '2']) };
}

async function loseAShop(db: BenchDb, brandId: string): Promise<number> {
  let lost = 0;
  for (const name of LOST) {
    const { rowCount } = await db.query(
      `delete from raw.shopify_${name} where brand_id = $1 and connection_id = (
         select id from app.connections where brand_id = $1 and name = 'eire')`,
      [brandId],
    );
    lost += rowCount ?? 0;
  }
  return lost;
}
