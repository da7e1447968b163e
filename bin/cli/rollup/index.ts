import type { Command } from 'commander';
import type { Db } from '#sql/db/pool.ts';
import { rollups } from '#sql/rollups/index.ts';
import { recordAction } from '#sql/tenants/audit.ts';
import { type Brand, findBrand } from '#sql/tenants/brands.ts';
import { keepBrand, keepRetailer } from '#sql/tenants/removing.ts';
import { findRetailer, listRetailers } from '#sql/tenants/retailers.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { daysBetween, RANGE_DAYS_MAX, rollup } from '#tasks/rollup.ts';
import type { Followed } from '../shared/follow.ts';
import type { Cli, Noun } from '../shared/noun.ts';
import { nowOption, type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { pendingRollups } from '../shared/rollups_pending.ts';
import { openSession, type Session } from '../shared/session.ts';
import { finish, sayQueued } from '../shared/work.ts';
import { day } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import type { Row } from '../ui/output.ts';

export const noun: Noun = (command, cli) => {
  command.description('rollups: the figures that are computed from synced rows');
  addRun(command, cli);
};

type Range = { from?: string; to?: string };

type RunOptions = WaitOptions & Range & { brand: string; retailer?: string; now?: string; dryRun?: boolean };

function addRun(command: Command, cli: Cli): void {
  const verb = command
    .command('run')
    .description('recompute the marked days, or every day of a range with --from and --to')
    .requiredOption('--brand <brand>', 'brand of the figures')
    .option('--retailer <retailer>', 'only this retailer')
    .option('--from <day>', 'first day of the range, in the brand’s time zone', day)
    .option('--to <day>', 'last day of the range', day);
  waitOptions(verb)
    .option('--dry-run', 'show which days would be recomputed')
    .addOption(nowOption('compute as of this instant'))
    .action((options: RunOptions) => run(cli, options));
}

async function run(cli: Cli, options: RunOptions): Promise<void> {
  const range = checkedRange(options);
  await using session = await openSession(cli);
  const { db } = session;
  const brand = await findBrand(db, options.brand);
  const owners = await chosen(session, brand, options.retailer);
  if (options.dryRun) {
    const days = await daysToRecompute(session, brand, owners, range);
    return cli.out.list(days, ['brand', 'retailer', 'days', 'from', 'to', 'objects']);
  }
  const jobs: Followed[] = [];
  for (const owner of owners) {
    const payload = { brandId: brand.id, retailerId: owner.id, ...range, now: options.now };
    const id = await db.transaction(async (tx) => {
      await (owner.id === null ? keepBrand(tx, brand.id) : keepRetailer(tx, brand.id, owner.id));
      const details = { ...range, now: options.now };
      const target = owner.slug ?? brand.slug;
      await recordAction(tx, { action: 'rollup.run', brandId: brand.id, target, details });
      return enqueue(tx, rollup, payload, { keyMode: 'replace' }); // means now
    });
    jobs.push({ id, label: `rollup ${owner.slug ?? `of ${brand.slug}`}` });
  }
  if (!options.wait) {
    await sayQueued(cli, session, jobs);
    return cli.out.list(rows(brand, owners, jobs), ['job_id', 'retailer']);
  }
  // Figures of the brand are made of those of its retailers, whose jobs queue another of the brand.
  const followed = new Set(jobs.map(({ id }) => id));
  const thenAlso = async () => {
    const left = (await pendingRollups(db, brand.id, [])).filter(({ id }) => !followed.has(id));
    for (const { id } of left) followed.add(id);
    return left;
  };
  const states = await finish(cli, session, jobs, { ...options, thenAlso });
  const done = rows(brand, owners, jobs).map((row, at) => ({
    ...row,
    state: states[at]?.state,
    ...states[at]?.tally,
    error: states[at]?.error_message,
  }));
  cli.out.list(done, ['job_id', 'retailer', 'state', 'days', 'written', 'deleted', 'error']);
}

function checkedRange({ from, to }: Range): Range {
  if (from === undefined && to === undefined) return {};
  if (from === undefined || to === undefined) {
    throw new UsageError('A range has a first and a last day.', 'give both --from and --to');
  }
  if (from > to)
    throw new UsageError(`The range ends (${to}) before it begins (${from}).`, 'swap --from and --to');
  if (daysBetween(from, to).length > RANGE_DAYS_MAX)
    throw new UsageError(`A range has at most ${RANGE_DAYS_MAX} days.`, 'split it into several ranges');
  return { from, to };
}

/** A retailer, or with neither the brand itself. */
type Owner = { id: string | null; slug: string | null };

/** Those of the brand itself come last: they are made of what its retailers have, where they read it. */
async function chosen({ db }: Session, { id, slug }: Brand, retailer: string | undefined): Promise<Owner[]> {
  if (retailer !== undefined) return [await findRetailer(db, id, retailer)];
  const all = await listRetailers(db, id);
  const stay = all.filter(({ removingAt }) => removingAt === null);
  const own = (await hasFigures(db, id)) ? [{ id: null, slug: null }] : [];
  const owners = [...(stay.length > 0 ? stay : all), ...own]; // refused by name, if all are being removed
  if (owners.length > 0) return owners;
  throw new UsageError(
    `Brand ${slug} has no retailer yet.`,
    `npx nightshift retailers add SLUG --brand ${slug}`,
  );
}

/** Whether the brand itself has figures, or rows of which some may be made. */
async function hasFigures(db: Db, brandId: string): Promise<boolean> {
  if (rollups.some(({ of }) => of === 'brand')) return true;
  const { rows } = await db.query(
    "select from app.connections where brand_id = $1 and level = 'brand' limit 1",
    [brandId],
  );
  return rows.length > 0;
}

function rows({ slug: brand }: Brand, owners: readonly Owner[], jobs: readonly Followed[]): Row[] {
  return owners.map(({ slug: retailer }, at) => ({ job_id: jobs[at]?.id, brand, retailer }));
}

async function daysToRecompute(
  { db }: Session,
  { id, slug: brand }: Brand,
  owners: readonly Owner[],
  { from, to }: Range,
): Promise<Row[]> {
  const { rows: found } = await db.query(
    `select $1::text as brand, r.slug as retailer,
            case when $4::date is null then count(distinct d.day) else $5::date - $4::date + 1 end as days,
            coalesce($4::date, min(d.day)) as from, coalesce($5::date, max(d.day)) as to,
            count(distinct d.object) as objects
     from unnest($3::uuid[]) as o (id)
     left join app.retailers r on r.brand_id = $2 and r.id = o.id
     left join ops.marks d on d.brand_id = $2 and d.retailer_id is not distinct from o.id
     group by o.id, r.slug order by r.slug nulls last`,
    [brand, id, owners.map((owner) => owner.id), from ?? null, to ?? null],
  );
  return found.map(({ objects, ...row }) => (objects > 0 ? { ...row, objects } : row));
}
