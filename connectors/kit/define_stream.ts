/** Defines a stream: what holds for the pages of all of them. */
import { unlessDenied } from './permission.ts';
import type { Page, Stream } from './stream.ts';

export function defineStream(stream: Stream): Stream {
  if (!stream.name.startsWith(`${stream.provider}.`)) {
    throw new TypeError(`Stream ${stream.name} must be named after its provider ${stream.provider}.`);
  }
  return unlessDenied(stream.tables[0]?.keeps === 'days' ? keptInOrder(stream) : stream);
}

/**
 * Figures of calendar days have no version but the instant at which they were requested, and a reading that says
 * nothing new leaves the row, with the instant of an earlier one. So an older reading that came behind it would pass
 * for a newer one. None can: a connection has one run at a time, the fence stops what a lost worker still sends, and
 * within a run the pages of such a stream must come in the order of their requests, which this holds them to.
 */
function keptInOrder(stream: Stream): Stream {
  const { name, pages, fetch, deliver } = stream;
  return {
    ...stream,
    pages: (context) => inOrder(name, pages(context)),
    ...(fetch && { fetch: (context, ids) => inOrder(name, fetch(context, ids)) }),
    ...(deliver && { deliver: (context, all) => inOrder(name, deliver(context, all)) }),
  };
}

async function* inOrder(stream: string, pages: AsyncIterable<Page>): AsyncGenerator<Page> {
  let newest = Number.NEGATIVE_INFINITY;
  for await (const page of pages) {
    const before = newest;
    for (const { changedAt } of page.items) {
      const at = changedAt.getTime();
      if (at < before)
        throw new TypeError(
          `${stream} gives figures of days that were requested before those of an earlier page`,
        );
      newest = Math.max(newest, at);
    }
    yield page;
  }
}
