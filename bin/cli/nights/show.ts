/** `nights show` */
import type { Command } from 'commander';
import { coded } from '#runtime/errors.ts';
import { exitCodes } from '#runtime/exit_codes.ts';
import { digestLines } from '#sql/nights/digest_lines.ts';
import { type NightPage, readNight } from '#sql/nights/list.ts';
import { databaseTime } from '#sql/schedules/schedules.ts';
import { findBrand, listBrands } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { day } from '../ui/arguments.ts';
import { instant } from '../ui/output.ts';

type Options = { brand?: string; date?: string };

export class NightNotFound extends coded('NS_NIGHT_NOT_FOUND') {
  constructor({ brand, date }: Options) {
    const of = brand === undefined ? '' : ` of ${brand}`;
    super(
      date === undefined ? `There was no night${of} yet.` : `There is no night${of} that completes ${date}.`,
      {
        hint: `npx nightshift nights list shows them; npx nightshift schedules run nightly --brand ${brand ?? 'B'} begins one now`,
      },
    );
  }
}

export function addShow(command: Command, cli: Cli): void {
  command
    .command('show')
    .description('show a night on one page: what it waited for, whether the day is final, and its figures')
    .option('--brand <brand>', 'only this brand (default: all brands)')
    .option('--date <day>', 'day whose figures the night completes (default: the latest)', day)
    .action((options: Options) => show(cli, options));
}

async function show(cli: Cli, options: Options): Promise<void> {
  await using session = await openSession(cli);
  const pages = await pagesOf(session, options);
  if (pages.length === 0) throw new NightNotFound(options);
  for (const page of pages) cli.out.record(page, () => linesOf(page));
  const now = await databaseTime(session.db);
  if (pages.some((page) => page.state === 'provisional' || isLate(page, now)))
    cli.exitCode = exitCodes.partial;
}

/** Its figures were promised by now, and it has not come to an end. */
function isLate({ state, deadline_at: deadline }: NightPage, now: Date): boolean {
  return (state === 'syncing' || state === 'computing') && deadline < now;
}

async function pagesOf({ db }: Session, { brand, date }: Options): Promise<NightPage[]> {
  const brands = brand === undefined ? await listBrands(db) : [await findBrand(db, brand)];
  const pages: NightPage[] = [];
  for (const { id: brandId } of brands) {
    const page = await readNight(db, { brandId, day: date });
    if (page !== undefined) pages.push(page);
  }
  return pages;
}

function linesOf(night: NightPage): string[] {
  const { brand, state, begun_at, deadline_at, completed_at, jobs, digest } = night;
  const waiting = jobs.filter((job) => ['waiting', 'running', 'retrying'].includes(job.state));
  return [
    `${brand}  ${night.day}  ${state}`,
    `  begun ${instant(begun_at)}, due ${instant(deadline_at)}${completed_at ? `, final ${instant(completed_at)}` : ''}`,
    ...(state === 'syncing' || state === 'computing'
      ? [`  waits for ${waiting.length} of ${jobs.length} jobs`]
      : []),
    ...jobs.filter(({ state: one }) => one !== 'succeeded').flatMap(jobLines),
    ...(digest ? digestLines(digest).map((line) => `  ${line}`) : []),
    '',
  ];
}

function jobLines({ step, of, job_id, state, note, failure, hint }: NightPage['jobs'][number]): string[] {
  const which = [job_id && `job ${job_id}`, failure && `failure ${failure}`].filter(Boolean).join(', ');
  const needsSomebody = state === 'held' || state === 'dead';
  return [
    `  ${step} of ${of}: ${state}${which ? ` (${which})` : ''}${note ? `: ${note}` : ''}`,
    ...(needsSomebody && hint ? [`    next: ${hint}`] : []),
  ];
}
