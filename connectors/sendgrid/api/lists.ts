/** Lists of SendGrid: by offset, by page token, or whole in one answer. */
import { AnswerNotUnderstood, RequestRefused } from '../../kit/errors.ts';
import { type Fields, isObject } from '../../kit/fields.ts';
import { RetryableError } from '../../kit/http/retry.ts';
import { PROVIDER } from '../key.ts';
import type { Params, SendGrid } from './client.ts';

const PAGES_MAX = 2_000;

export type ListPage = {
  records: readonly Fields[];
  /** When it was asked for. */
  sentAt: Date;
  /** Where the next page begins; undefined behind the last one. */
  next: string | undefined;
  /** None of its rows is one of the page before, although some should be: rows between the two may be missing. */
  isBehindGap?: boolean;
};

/**
 * Pages of a bare list, from an offset on. It ends with a page that is not full. `overlap`: as many rows of a page come
 * again in the next one, so that rows that are deleted between the two do not make others skip it.
 */
export async function* byOffset(
  sendgrid: SendGrid,
  path: string,
  params: Params,
  { size, from = 0, overlap = 0 }: { size: number; from?: number; overlap?: number },
): AsyncGenerator<ListPage> {
  let offset = from;
  let before: ReadonlySet<string> | undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const paged: Params = [...params, ['limit', String(size)], ['offset', String(offset)]];
    const { records, sentAt, known } = await sendgrid.get(path, paged, (body, at) => {
      const listed = recordsOf(path, body);
      const again = listed.filter((record) => before?.has(JSON.stringify(record))).length;
      if (again === size) throw repeated(path);
      return { records: listed, sentAt: at, known: again };
    });
    // More rows of the page before than overlap say that the list has moved, and that new ones begin later.
    offset += records.length - Math.max(overlap, known);
    const isLast = records.length < size;
    const isBehindGap = overlap > 0 && before !== undefined && known === 0;
    yield { records, sentAt, next: isLast ? undefined : String(offset), isBehindGap };
    if (isLast) return;
    before = new Set(records.map((record) => JSON.stringify(record)));
  }
  throw tooLong(path);
}

/**
 * Pages of the list in `field`. `next` is a full address: only its token counts, so that nothing leaves our address. If a
 * token that the list gave is over, it is read once more from its beginning.
 */
export async function* byToken(
  sendgrid: SendGrid,
  path: string,
  params: Params,
  { field, size, from }: { field: string; size: number; from?: string | undefined },
): AsyncGenerator<ListPage> {
  let token = from;
  let isAnew = from !== undefined;
  for (let page = 0; page < PAGES_MAX; page++) {
    const at = token;
    const paged: Params = [
      ...params,
      ['page_size', String(size)],
      ...(at === undefined ? [] : [['page_token', at] as const]),
    ];
    let answer: ListPage;
    try {
      answer = await sendgrid.get(path, paged, (body, sentAt) => {
        const whole = isObject(body) ? body : {};
        const next = tokenOf(whole._metadata);
        if (next !== undefined && next === at) throw repeated(path);
        return { records: recordsOf(path, whole[field]), sentAt, next };
      });
    } catch (error) {
      if (!(error instanceof RequestRefused) || at === undefined || isAnew) throw error;
      isAnew = true;
      token = undefined;
      continue;
    }
    yield answer;
    token = answer.next;
    if (token === undefined) return;
  }
  throw tooLong(path);
}

/** Its rows would hide those that were asked for, so they are asked for again. */
function repeated(path: string): RetryableError {
  return new RetryableError(new AnswerNotUnderstood(PROVIDER, path, 'it is the page before', 'retry'));
}

function tokenOf(metadata: unknown): string | undefined {
  const next = isObject(metadata) ? metadata.next : undefined;
  if (typeof next !== 'string' || !URL.canParse(next)) return undefined;
  return new URL(next).searchParams.get('page_token') ?? undefined;
}

/** The objects of a list. */
export function recordsOf(path: string, list: unknown): readonly Fields[] {
  if (Array.isArray(list) && list.every(isObject)) return list;
  throw new RetryableError(new AnswerNotUnderstood(PROVIDER, path, 'it is not a list of objects', 'retry'));
}

function tooLong(path: string): Error {
  return new AnswerNotUnderstood(PROVIDER, path, `the list does not end after ${PAGES_MAX} pages`);
}

export function chunksOf<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, at) =>
    all.slice(at * size, (at + 1) * size),
  );
}
