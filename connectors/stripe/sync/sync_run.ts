/** What one run of a stream of Stripe works with. */
import type { Json } from '#sql/load/table.ts';
import type { Fields } from '../../kit/fields.ts';
import type { StreamContext } from '../../kit/stream.ts';
import { openStripe, type Params, type Stripe } from '../api/client.ts';
import { ModeMixed } from '../api/key.ts';
import { expansion, listPage } from '../api/list.ts';
import type { Collection, Content, Page, Seen } from './collection.ts';
import { contentOf, pathOf } from './collection.ts';
import { type Position, parsePosition, positionJson, type Window } from './sync_state.ts';
import { readWindows } from './windows.ts';

export type SyncRun = {
  context: StreamContext;
  stripe: Stripe;
  /** As the last page left it. */
  position: Position;
  phase: Page['phase'];
};

/** Refuses a key of another mode than the one whose data are stored. */
export function openRun(context: StreamContext): SyncRun {
  const stripe = openStripe(context);
  const position = parsePosition(context.position);
  const { livemode } = position;
  if (livemode !== undefined && livemode !== stripe.livemode)
    throw new ModeMixed(context.connection, 'The key', livemode);
  return { context, stripe, position: { ...position, livemode: stripe.livemode }, phase: 'changes' };
}

/** Moves on to `position`: an empty page that stores it, to be filled by the caller. */
export function checkpoint(run: SyncRun, position: Position): Page & { position: Json } {
  run.position = { ...position, livemode: run.stripe.livemode };
  return { phase: run.phase, items: [], rejected: [], position: positionJson(run.position) };
}

export function emptyPage({ phase }: SyncRun): Page {
  return { phase, items: [], rejected: [] };
}

/** Everything that was created in these windows, and what is left of them after each part. */
export async function* contentsOf(
  { stripe, position: { changesTo } }: SyncRun,
  collection: Collection,
  windows: readonly Window[],
  datesOf: (id: string) => Omit<Seen, 'sentAt'> = () => ({ unseenFrom: changesTo }),
): AsyncGenerator<{ content: Content; ids: readonly string[]; left: Window[] }> {
  const fixed: Params = [
    ...(collection.params ?? []),
    ...expansion((collection.expand ?? []).map((field) => `data.${field}`)),
  ];
  const pages = readWindows(async ({ from, before, after }) => {
    const bounds = [
      ['created[gte]', String(from)],
      ['created[lt]', String(before)],
    ] as const;
    const page = await listPage(stripe, pathOf(collection), [...fixed, ...bounds], after);
    const { sentAt } = page;
    const seen = ({ id }: Fields) => ({ sentAt, ...datesOf(String(id)) });
    const found = page.objects.map((object) => ({ object, seen: seen(object) }));
    return { ...page, content: await contentOf(stripe, collection, found) };
  }, windows);
  for await (const { answers, left } of pages) {
    const ids = answers.flatMap(({ objects }) => objects.map(({ id }) => String(id)));
    yield { content: together(answers.map(({ content }) => content)), ids, left };
  }
}

function together(contents: readonly Content[]): Content {
  return {
    items: contents.flatMap(({ items }) => items),
    rejected: contents.flatMap(({ rejected }) => rejected),
    deletions: contents.flatMap(({ deletions }) => deletions),
  };
}
