/** Reads objects one by one after a report that they changed or were deleted. */
import type { Deletion } from '#sql/load/table.ts';
import { atOnce } from '../../kit/at_once.ts';
import type { Fields } from '../../kit/fields.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { type Collection, contentOf, type Page, pathOf, pathTo, type Seen } from '../sync/collection.ts';
import type { StripeRun } from '../sync/sync_run.ts';
import { dateOf } from '../sync/sync_state.ts';
import { ObjectMissing } from './answers.ts';
import type { Stripe } from './client.ts';
import { getObject, listPages } from './list.ts';

const BATCH_SIZE = 100;
const READERS_MAX = 4;

/** The second of the newest report of a change, and of the first unread one, if any. */
type Sign = { at: number; first?: number | undefined };

/** What was reported of an object, and whether it may be deleted. */
export type Noted = Sign & { isDeleted: boolean };
export type Changed = Map<string, Noted>;

/** Objects without a report, so nothing dates them: each is stored as it is at the request, or deleted. */
export function unheard(ids: readonly string[]): Changed {
  return new Map(ids.map((id) => [id, { at: 0, isDeleted: true }]));
}

/**
 * The instant at which an object became what it is now: the newest report, if it is not older than `newSince`; an older
 * one was read before and dates nothing. Between the first report and that instant its states are unknown.
 */
export function datesOfSign(sign: Sign | undefined, newSince: number): Omit<Seen, 'sentAt'> {
  if (!sign || sign.at === 0) return {};
  const unseenFrom = dateOf(sign.first ?? sign.at);
  return sign.at >= newSince ? { changedAt: dateOf(sign.at), unseenFrom } : { unseenFrom };
}

/**
 * The oldest report comes first. A change since `newSince` is dated by its report; an older report dates nothing.
 * `positionBefore` makes the position of a page, behind which everything reported before that second was read, except
 * the `unread`. Returns the ids of all reported objects that Stripe does not return.
 */
export async function* fetchByIds(
  run: StripeRun,
  collection: Collection,
  changed: Changed,
  newSince: number,
  positionBefore?: (second: number, unread: readonly string[]) => Page['position'],
): AsyncGenerator<Page, string[]> {
  const all = [...changed].sort(([, one], [, other]) => one.at - other.at);
  const unread: string[] = [];
  for (let start = 0; start < all.length; start += BATCH_SIZE) {
    const end = start + BATCH_SIZE;
    const batch = await readBatch(run, collection, new Map(all.slice(start, end)), newSince);
    unread.push(...batch.unread);
    const next = all[end]?.[1];
    const position = next && positionBefore?.(next.at, unread);
    yield position === undefined ? batch.page : { ...batch.page, position };
  }
  return unread;
}

async function readBatch(
  run: StripeRun,
  collection: Collection,
  changed: Changed,
  newSince: number,
): Promise<{ page: Page; unread: readonly string[] }> {
  const { stripe } = run;
  const found: { object: Fields; seen: Seen }[] = [];
  const gone: Deletion[] = [];
  const unread: string[] = [];
  await atOnce(READERS_MAX, changed, async ([id, { isDeleted, ...sign }]) => {
    const requestedAt = run.context.now();
    const got = await getObject(stripe, pathTo(collection.name, id), collection.expand ?? []);
    const dates = datesOfSign(sign, newSince);
    if (got) found.push({ object: got.object, seen: { sentAt: got.sentAt, ...dates } });
    else if (isDeleted) gone.push({ id, deletedAt: requestedAt });
    else unread.push(id);
  });
  const content = await contentOf(stripe, collection, found);
  const deletions = [...content.deletions, ...gone];
  const page = { ...emptyPage(run), ...content, deletions };
  if (unread.length === 0) return { page, unread };
  const incomplete = `Stripe's events name objects that it does not return: ${unread.slice(0, 5).join(', ')}`;
  return { page: { ...page, incomplete }, unread };
}

/** Empty for an owner that Stripe does not have any more. */
export async function ownedBy(
  stripe: Stripe,
  collection: Collection,
  owner: string,
): Promise<readonly string[]> {
  const { ownedBy: by } = collection;
  if (by === undefined) throw new TypeError(`${collection.name} of an owner have no parameter of their list`);
  const ids: string[] = [];
  try {
    for await (const { objects } of listPages(stripe, pathOf(collection), [[by, owner]]))
      for (const { id } of objects) if (typeof id === 'string') ids.push(id);
  } catch (error) {
    if (!(error instanceof ObjectMissing && error.param === by)) throw error;
  }
  return ids;
}

/** Stands for all objects of an owner where ids are asked for: `charge=ch_1`. */
export function ownerId({ ownedBy: by }: Collection, owner: string): string {
  return `${by}=${owner}`;
}

/** The ids with those of the objects of each owner among them. */
export async function withOwned(
  stripe: Stripe,
  collection: Collection,
  ids: readonly string[],
): Promise<Set<string>> {
  const prefix = ownerId(collection, '');
  const found = new Set<string>();
  for (const id of ids)
    for (const one of id.startsWith(prefix)
      ? await ownedBy(stripe, collection, id.slice(prefix.length))
      : [id])
      found.add(one);
  return found;
}
