/**
 * Charges of Stripe into the same PostgreSQL: by our loader, as a sync does it that storing holds up (the
 * four pages that have arrived meanwhile are one transaction with their position), beside the published
 * sync engine, on the same pages and in turns. The clock covers parsing the pages, making rows of them
 * and storing them; no network is in it.
 */
import { charges, toItem } from '../connectors/stripe/streams/charges.ts';
import { loadItems } from '../sql/load/load.ts';
import { savePositions } from '../sql/load/sync_state.ts';
import { openPeer, PEER, PEER_TABLE } from './stripe_peer.ts';
import type { Figure } from './support/bench.ts';
import { type Charge, chargePages } from './support/charges.ts';
import { median, rememberVersions, rewrittenSince, timed, walBytes } from './support/measure.ts';
import type { BenchDb, BenchServer } from './support/server.ts';
import { addConnection, type Tenant } from './support/tenants.ts';

const CHARGES = 20_000;
const PER_PAGE = 100; // the most that Stripe gives
const PAGES_TOGETHER = 4; // as many as are asked for at once
const ROUNDS = 5; // the first one warms both up
const STREAM = 'stripe.charges';
const FIRST = new Date('2026-11-01T00:00:00Z');
const LATER = new Date('2026-11-02T00:00:00Z');

type Way = {
  table: string;
  /** Whatever a load writes. */
  tables: readonly string[];
  load(pages: readonly string[], now: Date): Promise<void>;
};
type Pass = { ms: number; walBytes: number };
type Round = { first: Pass; again: Pass; rewritten: number; bytes: number };

export async function benchStripe(server: BenchServer): Promise<Figure[]> {
  const db = await server.freshDatabase();
  const place = await addConnection(db, { provider: 'stripe', account: 'acct_bench' });
  const pages = chargePages(CHARGES, PER_PAGE);
  const bytes = pages.reduce((sum, page) => sum + Buffer.byteLength(page), 0);
  await using peer = await openPeer(db);
  const ways: readonly Way[] = [
    {
      table: charges.name,
      tables: [charges.name, 'ops.marks', 'ops.positions'],
      load: (texts, now) => load(db, place, texts, now),
    },
    { table: PEER_TABLE, tables: [PEER_TABLE], load: (texts) => peer.load(texts) },
  ];
  const rounds: Round[][] = ways.map(() => []);
  for (let round = 0; round < ROUNDS; round++) {
    for (const [index, way] of ways.entries()) rounds[index]?.push(await oneRound(db, way, pages));
  }
  const [ours = [], theirs = []] = rounds;
  return [{ name: 'charge, mean size', value: bytes / CHARGES, unit: 'bytes' }, ...figuresOf(ours, theirs)];
}

/** Each begins with empty tables and right after a checkpoint: the log then holds whole pages alike. */
async function oneRound(db: BenchDb, { table, tables, load }: Way, pages: readonly string[]): Promise<Round> {
  await db.query(`truncate ${tables.join(', ')}`);
  const first = await pass(db, () => load(pages, FIRST));
  await assertWhole(db, table);
  await rememberVersions(db, [table]);
  const again = await pass(db, () => load(pages, LATER));
  await assertWhole(db, table);
  const rewritten = await rewrittenSince(db, [table]);
  const { rows } = await db.query(`select pg_table_size($1::regclass)::float8 as bytes`, [table]);
  return { first, again, rewritten, bytes: rows[0]?.bytes };
}

async function pass(db: BenchDb, work: () => Promise<void>): Promise<Pass> {
  await db.query('checkpoint');
  let ms = 0;
  const log = await walBytes(db, async () => {
    ms = await timed(work);
  });
  return { ms, walBytes: log };
}

async function assertWhole(db: BenchDb, table: string): Promise<void> {
  const { rows } = await db.query<{ n: number }>(`select count(*)::int as n from ${table}`);
  if (rows[0]?.n !== CHARGES) throw new Error(`${table} has ${rows[0]?.n} rows instead of ${CHARGES}.`);
}

async function load(db: BenchDb, place: Tenant, pages: readonly string[], now: Date): Promise<void> {
  const { brandId, connectionId } = place;
  const target = { brandId, connectionId, tables: [charges], stream: STREAM, now };
  for (let start = 0; start < pages.length; start += PAGES_TOGETHER) {
    const data = pages.slice(start, start + PAGES_TOGETHER).flatMap(chargesOf);
    const items = data.map((charge) => toItem(charge, { sentAt: now }));
    const position = { load: { before: data.at(-1)?.created } };
    await db.transaction(async (tx) => {
      await loadItems(tx, target, items);
      await savePositions(tx, place, [{ stream: STREAM, position }], now);
    });
  }
}

function figuresOf(ours: readonly Round[], theirs: readonly Round[]): Figure[] {
  const of = (rounds: readonly Round[], pick: (round: Round) => number) => median(rounds.map(pick));
  const perSecond = (rounds: readonly Round[], which: 'first' | 'again') =>
    (CHARGES / of(rounds, (round) => round[which].ms)) * 1000;
  const log = (rounds: readonly Round[], which: 'first' | 'again') =>
    of(rounds, (round) => round[which].walBytes) / CHARGES;
  const rewritten = (rounds: readonly Round[]) => Math.max(...rounds.map((round) => round.rewritten));
  const first = perSecond(ours, 'first') / perSecond(theirs, 'first');
  const again = perSecond(ours, 'again') / perSecond(theirs, 'again');
  const againToFirst = perSecond(ours, 'again') / perSecond(ours, 'first');
  return [
    { name: 'first load', value: perSecond(ours, 'first'), unit: 'rows/s' },
    { name: `first load by ${PEER}`, value: perSecond(theirs, 'first'), unit: 'rows/s' },
    { name: 'first load / the peer', value: first, unit: 'x', bar: { atLeast: 1.5 } },
    { name: 'unchanged again', value: perSecond(ours, 'again'), unit: 'rows/s' },
    { name: 'unchanged again by the peer', value: perSecond(theirs, 'again'), unit: 'rows/s' },
    { name: 'unchanged again / the peer', value: again, unit: 'x', bar: { atLeast: 1.5 } },
    { name: 'unchanged again / first load', value: againToFirst, unit: 'x', bar: { atLeast: 2 } },
    { name: 'rows rewritten by it', value: rewritten(ours), unit: 'rows', bar: { below: 1 } },
    { name: 'rows rewritten by it, the peer', value: rewritten(theirs), unit: 'rows' },
    { name: 'log of the first load', value: log(ours, 'first'), unit: 'bytes/row' },
    { name: 'log of the first load, the peer', value: log(theirs, 'first'), unit: 'bytes/row' },
    { name: 'log of the unchanged load', value: log(ours, 'again'), unit: 'bytes/row' },
    { name: 'log of the unchanged load, the peer', value: log(theirs, 'again'), unit: 'bytes/row' },
    { name: 'table after both loads', value: of(ours, ({ bytes }) => bytes) / 1e6, unit: 'MB' },
    { name: 'table after both loads, the peer', value: of(theirs, ({ bytes }) => bytes) / 1e6, unit: 'MB' },
  ];
}

function chargesOf(page: string): Charge[] {
  return (JSON.parse(page) as { data: Charge[] }).data;
}
