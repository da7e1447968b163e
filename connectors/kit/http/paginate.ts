/** Reads lists page by page, and reads ahead. */

const PAGES_MAX = 100_000;

export type PageOf<T> = { items: readonly T[]; next: string | null };

/** All pages of a list. `next` of a page is passed to the request for the following one. */
export async function* paginate<T>(
  ask: (after: string | null) => Promise<PageOf<T>>,
): AsyncGenerator<readonly T[]> {
  let after: string | null = null;
  for (let page = 0; page < PAGES_MAX; page++) {
    const { items, next }: PageOf<T> = await ask(after);
    yield items;
    // A repeated cursor would loop for ever.
    if (next === null || next === after) return;
    after = next;
  }
}

/** The same values; the next one is made while the caller works on the current one. */
export async function* ahead<T>(source: AsyncIterable<T>): AsyncGenerator<T> {
  const iterator = source[Symbol.asyncIterator]();
  let next = iterator.next();
  try {
    for (;;) {
      const { done, value } = await next;
      if (done) return;
      next = iterator.next();
      next.catch(() => {}); // handled at the top of the loop; until then it has no awaiter
      yield value;
    }
  } finally {
    await next.catch(() => {});
    await iterator.return?.();
  }
}
