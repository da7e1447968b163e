/**
 * Lists of Stripe: newest first, bounded by whole seconds of `created`, each page after the last id of the previous one. https://docs.stripe.com/api/pagination
 */
import { isStorable } from '#sql/db/copy.ts';
import { AnswerNotUnderstood } from '../../kit/errors.ts';
import { type Fields, isObject } from '../../kit/fields.ts';
import { paginate } from '../../kit/http/paginate.ts';
import { RetryableError } from '../../kit/http/retry.ts';
import { dateOf } from '../sync/sync_state.ts';
import { ObjectMissing, PROVIDER } from './answers.ts';
import type { Params, Stripe } from './client.ts';
import { ModeMixed } from './key.ts';

export const PAGE_SIZE = 100;

export type ListPage = { objects: readonly Fields[]; hasMore: boolean; sentAt: Date };

export async function listPage(
  stripe: Stripe,
  path: string,
  params: Params,
  after?: string,
): Promise<ListPage> {
  const cursor = after === undefined ? [] : ([['starting_after', after]] as const);
  const query = [['limit', String(PAGE_SIZE)], ...params, ...cursor] as const;
  return stripe.get(path, query, (body, sentAt) => {
    const broken = (reason: string) =>
      new RetryableError(new AnswerNotUnderstood(PROVIDER, path, reason, 'retry'));
    const { data, has_more: hasMore } = body;
    if (!Array.isArray(data) || typeof hasMore !== 'boolean') throw broken('it is not a list');
    const objects = data.filter(isObject);
    if (hasMore && typeof objects.at(-1)?.id !== 'string') throw broken('a further page without a last id');
    if (after !== undefined && objects.some(({ id }) => id === after))
      throw broken('it repeats the previous page');
    if (!isNewestFirst(objects)) throw broken('its objects are out of order');
    assertMode(stripe, objects);
    return { objects, hasMore, sentAt };
  });
}

/** All pages of a list that is read at once. */
export async function* listPages(stripe: Stripe, path: string, params: Params): AsyncGenerator<ListPage> {
  let sentAt = stripe.now();
  const pages = paginate(async (after) => {
    const page = await listPage(stripe, path, params, after ?? undefined);
    sentAt = page.sentAt;
    return { items: page.objects, next: page.hasMore ? String(page.objects.at(-1)?.id) : null };
  });
  for await (const objects of pages) yield { objects, hasMore: false, sentAt };
}

export async function listAll(stripe: Stripe, path: string, params: Params): Promise<Fields[]> {
  const all: Fields[] = [];
  for await (const { objects } of listPages(stripe, path, params)) all.push(...objects);
  return all;
}

export type Got = { object: Fields; sentAt: Date };

/** One object; undefined if Stripe has none with that id. */
export async function getObject(
  stripe: Stripe,
  path: string,
  expand: readonly string[],
): Promise<Got | undefined> {
  try {
    return await stripe.get(path, expansion(expand), (object, sentAt) => {
      assertMode(stripe, [object]);
      return { object, sentAt };
    });
  } catch (error) {
    if (error instanceof ObjectMissing) return undefined;
    throw error;
  }
}

export function expansion(fields: readonly string[]): Params {
  return fields.map((field) => ['expand[]', field] as const);
}

/** The rest of a list inside an object, which has only the first entries. */
export async function drained(
  stripe: Stripe,
  list: unknown,
  path: string,
  params: Params = [],
): Promise<readonly Fields[]> {
  const data = isObject(list) && Array.isArray(list.data) ? list.data.filter(isObject) : [];
  if (!isObject(list) || list.has_more !== true) return data;
  return listAll(stripe, path, params);
}

/** An object without a valid second is quarantined later; it has no place in the order. */
function isNewestFirst(objects: readonly Fields[]): boolean {
  const seconds = objects.map(({ created }) => created).filter((created) => isSecond(created));
  return seconds.every((second, index) => index === 0 || second <= Number(seconds[index - 1]));
}

export function isSecond(created: unknown): created is number {
  return Number.isSafeInteger(created) && isStorable(dateOf(Number(created)));
}

/** Not every kind of object has a mode. */
function assertMode({ livemode, connection }: Stripe, objects: readonly Fields[]): void {
  const stray = objects.find(
    (object) => typeof object.livemode === 'boolean' && object.livemode !== livemode,
  );
  if (stray) throw new ModeMixed(connection, String(stray.id), livemode);
}
