/** `privacy show` */
import type { Command } from 'commander';
import { readRequest, type StoredRequest } from '#sql/privacy/requests.ts';
import { type Copy, type Holding, holdingSince, restoredCopies } from '#sql/snapshots/holding.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession, type Session } from '../shared/session.ts';
import { count } from '../ui/format.ts';
import { instant } from '../ui/output.ts';
import { shownRequest, stateOf } from './requests.ts';
import { sayCopies, shownCopy } from './restored.ts';
import { numberOf, RequestNotFound } from './who.ts';

export function addShow(command: Command, cli: Cli): void {
  command
    .command('show')
    .description('one request, with what was erased and the proof that nothing is left')
    .argument('<number>', 'number of the request')
    .requiredOption('--brand <brand>', 'brand that it is of')
    .action((number: string, { brand }: { brand: string }) => show(cli, number, brand));
}

async function show(cli: Cli, number: string, slug: string): Promise<void> {
  const id = numberOf(number);
  await using session = await openSession(cli);
  const brand = await findBrand(session.db, slug);
  const request = await readRequest(session.db, { brandId: brand.id, id });
  if (request === undefined) throw new RequestNotFound(id, brand.slug);
  const { progress, proof, doneAt, kind } = request;
  const holding =
    doneAt === null || kind === 'export'
      ? undefined
      : await holdingSince(session.db, { brandId: brand.id, erasedAt: doneAt });
  const held = holding && { snapshots: holding.snapshots, snapshots_until: holding.until };
  const copies = kind === 'export' ? [] : await copiesFrom(session, brand.id, doneAt);
  const record = {
    ...{ ...shownRequest(request), erased: progress?.redacted ?? {}, proof, ...held },
    copies: copies.map(shownCopy),
  };
  cli.out.record(record, () => [
    ...linesOf(request),
    ...(holding === undefined ? [] : holdingLines(holding)),
  ]);
  sayCopies(cli, copies);
}

/** What is restored after an erasure is without the person. */
async function copiesFrom({ db }: Session, brandId: string, before: Date | null): Promise<Copy[]> {
  const copies = await restoredCopies(db, brandId);
  return copies.filter(
    ({ restoredAt }) => before === null || restoredAt === null || restoredAt.getTime() <= before.getTime(),
  );
}

function holdingLines({ snapshots, until }: Holding): string[] {
  if (snapshots === 0) return ['No snapshot is from before it.'];
  const last = until === null ? 'has no end' : `expires on ${instant(until).slice(0, 10)}`;
  return [
    `${count(snapshots, 'snapshot')} from before it may hold the person; the last of them ${last}. What is restored of one is without the person.`,
  ];
}

function linesOf(request: StoredRequest): string[] {
  const { id, kind, brand, connection, source, dueAt, doneAt, progress, proof, subject } = request;
  const open = doneAt === null ? `due on ${instant(dueAt).slice(0, 10)}` : `done at ${instant(doneAt)}`;
  const named = Object.keys(subject).length > 0 ? [`It names ${JSON.stringify(subject)}.`] : [];
  return [
    `Request ${id} (${kind}) of ${connection === null ? brand : `${connection} of ${brand}`}, from the ${source}: ${stateOf(request)}, ${open}.`,
    ...named,
    ...Object.entries(progress?.redacted ?? {}).map(
      ([table, rows]) => `  ${table}: ${count(rows, 'row')} erased`,
    ),
    ...(proof === null ? [] : proofLines(proof)),
    ...(kind === 'export' && doneAt === null
      ? [`Next: npx nightshift privacy export --brand ${brand} --request ${id} --output FILE`]
      : []),
  ];
}

function proofLines({ searchedAt, searched, found }: NonNullable<StoredRequest['proof']>): string[] {
  const rows = Object.values(searched).reduce((sum, one) => sum + one, 0);
  const tables = Object.keys(searched).length;
  const left = Object.entries(found).map(([table, hits]) => `  ${table}: ${count(hits, 'row')} left`);
  const result = left.length === 0 ? 'nothing of the person was found' : 'something of the person was left:';
  return [
    `Searched at ${searchedAt}: ${count(rows, 'row')} of ${count(tables, 'table')}, ${result}`,
    ...left,
  ];
}
