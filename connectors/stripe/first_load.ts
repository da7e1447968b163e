/** Reads everything there is, in windows of `created`. What is left is stored with each page. */
import type { Page } from '../stream.ts';
import type { Collection } from './collection.ts';
import { secondOf } from './position.ts';
import { readEach } from './read_each.ts';
import { contentsOf, type Reading, store } from './reading.ts';

/** Before anything that Stripe holds: it began in 2010. */
export const BEGINNING = Date.UTC(2010, 0) / 1000;
/** An event may show up later than others of its time, and what was created just now may not be listed yet. */
export const OVERLAP_MS = 5 * 60_000;

/** The pages of a first load, or what is left of one. Changes since its start are read afterwards. */
export async function* firstLoad(reading: Reading, collection: Collection): AsyncGenerator<Page> {
  const askedAt = reading.position.load?.askedAt ?? reading.context.now();
  const windows = reading.position.load?.windows ?? [{ from: BEGINNING, before: secondOf(askedAt) + 1 }];
  // Of a load that goes on, nobody knows any more what it had listed before.
  const listed = collection.canVanish && !reading.position.load ? new Set<string>() : undefined;
  for await (const { content, ids, left } of contentsOf(reading, collection, windows)) {
    for (const id of ids) listed?.add(id);
    yield { ...store(reading, { load: { askedAt, windows: left } }), ...content };
  }
  if (listed) yield* readUnlisted(reading, collection, listed, askedAt);
  yield store(reading, { changesTo: new Date(askedAt.getTime() - OVERLAP_MS) });
}

/** What is stored but was not listed may have been deleted while nobody told us: each is asked for. */
async function* readUnlisted(
  reading: Reading,
  collection: Collection,
  listed: ReadonlySet<string>,
  askedAt: Date,
): AsyncGenerator<Page> {
  const { brandId, id } = reading.context.connection;
  const [root] = collection.target.tables;
  if (!root) return;
  const { rows } = await reading.context.db.query<{ id: string }>(
    `select id from ${root.name} t
     where brand_id = $1 and connection_id = $2 and deleted_at is null and created_at < $3
       and not exists (select from unnest($4::text[]) as l (id) where l.id = t.id)`,
    [brandId, id, new Date(askedAt.getTime() - OVERLAP_MS), [...listed]],
  );
  const unlisted = rows.map((row) => [row.id, { at: 0, isDeleted: true }] as const);
  yield* readEach(reading, collection, new Map(unlisted), secondOf(askedAt));
}
