/** `privacy erase`: queues a job that erases a person, and proves it. */
import type { Command } from 'commander';
import { storeRequest } from '#sql/privacy/requests.ts';
import { restoredCopies } from '#sql/snapshots/holding.ts';
import { keepBrand } from '#sql/tenants/removing.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { privacyErase } from '#tasks/privacy/erase.ts';
import { rowsOfPerson } from '#tasks/privacy/rows_of_person.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { type WaitOptions, waitOptions } from '../shared/options/options.ts';
import { openSession, type Session } from '../shared/session.ts';
import { finish, sayQueued } from '../shared/work.ts';
import { confirmName } from '../ui/confirm.ts';
import { UsageError } from '../ui/errors.ts';
import { count } from '../ui/format.ts';
import { sayCopies, shownCopy } from './restored.ts';
import { type Who, type WhoOptions, whoIs, whoOptions } from './who.ts';

/** The law says a month. */
const DUE_DAYS = 30;

type Options = WhoOptions & WaitOptions & { dryRun?: boolean; yes?: string };

export function addErase(command: Command, cli: Cli): void {
  waitOptions(whoOptions(command.command('erase')))
    .description('erase a person from all that is stored of the brand; no figure changes')
    .option('--dry-run', 'show how many rows are of the person and change nothing')
    .option('--yes <brand>', 'confirm by repeating the brand, for scripts')
    .action((options: Options) => erase(cli, options));
}

async function erase(cli: Cli, options: Options): Promise<void> {
  await using session = await openSession(cli);
  const who = await whoIs(cli, session, options);
  const { brand, request, reading } = who;
  if (request !== undefined && request.kind !== 'erase_person')
    throw new UsageError(`Request ${request.id} wants no erasure.`, 'name the person to erase all the same');
  const rows: Record<string, number> = {};
  for await (const { table, rows: found } of rowsOfPerson(session.db, reading))
    rows[table] = (rows[table] ?? 0) + found.length;
  const lines = Object.entries(rows).map(([table, n]) => `${table}: ${count(n, 'row')}`);
  const copies = await restoredCopies(session.db, brand.id);
  const shown = { brand: brand.slug, rows, copies: copies.map(shownCopy), dry_run: options.dryRun === true };
  if (options.dryRun) {
    cli.out.record(shown, () => (lines.length > 0 ? lines : ['Nothing is stored of this person.']));
    return sayCopies(cli, copies);
  }
  if (options.yes === undefined) for (const line of lines) cli.out.say(line);
  const question = `It cannot be undone. Type ${brand.slug} to erase the person: `;
  await confirmName(cli.io, question, { name: brand.slug, given: options.yes });
  const queued = await queue(cli, session, who);
  const followed = [{ id: queued.job, label: `erasure ${queued.request}` }];
  if (!options.wait) await sayQueued(cli, session, followed);
  const [state] = options.wait ? await finish(cli, session, followed, options) : [];
  cli.out.record({ ...shown, ...queued, ...(state && { state: state.state }) }, () => [
    `Request ${queued.request}: ${state?.state ?? 'queued'}. See npx nightshift privacy show ${queued.request} --brand ${brand.slug}`,
  ]);
  sayCopies(cli, copies);
}

/** Also for one who is not stored: what comes of the person later is redacted. */
async function queue(cli: Cli, session: Session, { brand, connectionId, identity, request }: Who) {
  const { sealer } = await keyringOf(cli, session);
  const brandId = brand.id;
  return session.db.transaction(async (tx) => {
    await keepBrand(tx, brandId);
    const id =
      request?.id ??
      (
        await storeRequest(tx, sealer, {
          ...{ brandId, connectionId, kind: 'erase_person', subject: {}, source: 'operator' },
          ...{ dueDays: DUE_DAYS, person: identity },
        })
      ).id;
    return { request: id, job: await enqueue(tx, privacyErase, { brandId, request: id }) };
  });
}
