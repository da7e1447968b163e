/**
 * Objects that are stored and that Shopify no longer has although no event told of it: it keeps events
 * for a year, and promises none for every deletion. Counting finds that there are such objects, and no
 * sync is whole that found some; a full one asks for each stored object by its id and deletes the rest.
 */
import { z } from 'zod';
import { counted, isOrAre } from '#runtime/wording.ts';
import type { Deletion } from '#sql/load/table.ts';
import { FULL_DID_NOT_HELP } from '../../kit/errors.ts';
import { storedIds } from '../../kit/stored.ts';
import type { Page, Target } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { nodesById, PAGE_SIZE_MAX, type RootQuery } from '../api/queries.ts';
import { endOfChanges } from './incremental.ts';
import type { Wanted } from './look.ts';
import { storedCount } from './stored_count.ts';
import { BEGINNING, type ShopifyRun } from './sync_run.ts';
import { lookedCount, wantedCount } from './window.ts';

/** `type` as in its ids. */
export type Kind = { name: string; type: string; count: RootQuery; target: Target & { stream: string } };

const IDS = { idPattern: '^[0-9]+$', size: PAGE_SIZE_MAX };
const DAY_MS = 24 * 60 * 60_000;
const nodesSchema = z.object({ nodes: z.array(z.object({ id: z.string() }).nullable()) });

export async function* missingObjectPages(run: ShopifyRun, kind: Kind): AsyncGenerator<Page> {
  const { name, target } = kind;
  const expected = await lookedCount(run, ...allOf(kind, endOfChanges(run)));
  if (expected === undefined) return;
  const { found, position } = await storedCount(run, { name, target, stream: target.stream }, expected);
  if (position !== undefined) yield { ...emptyPage(run), position };
  if (found <= expected) return;
  const gone = run.context.full ? await findGone(run, kind) : [];
  // More than the count lacks cannot be: then the answers do not mean what they seem to.
  const deletions = gone.length <= found - expected ? gone : [];
  const check = { name: `${name} that are gone`, expected, found: found - deletions.length };
  const page: Page = { ...emptyPage(run), deletions, target };
  if (check.found === expected) return yield { ...page, checks: [{ ...check, ok: true }] };
  const incomplete = `${counted(check.found, name)} ${isOrAre(check.found)} stored, Shopify counts ${expected}: ${
    run.context.full
      ? `of ${gone.length} it says that they are gone; ${FULL_DID_NOT_HELP}`
      : 'sync deletions again with --full'
  }`;
  yield { ...page, checks: [{ ...check, ok: false, cause: incomplete }], incomplete };
}

/** What that will ask of a run that reads changes up to there. */
export function wantedOfKind(kind: Kind, end: Date): Wanted[] {
  return wantedCount(...allOf(kind, end));
}

function allOf({ count }: Kind, end: Date) {
  const to = new Date(end.getTime() + 2 * DAY_MS); // whatever the clocks say
  return [
    { count, filterField: 'updated_at' },
    { from: BEGINNING, to },
  ] as const;
}

async function findGone(run: ShopifyRun, kind: Kind): Promise<Deletion[]> {
  const gone: Deletion[] = [];
  // Also of what was set aside: it may be gone too.
  for await (const ids of storedIds(run.context, kind.target, IDS)) {
    const deletedAt = run.context.now();
    const gids = ids.map((id) => `gid://shopify/${kind.type}/${id}`);
    const { nodes } = await run.shopify.ask(nodesById, { ids: gids }, nodesSchema);
    const here = new Set(nodes.map((node) => node?.id));
    for (const [index, id] of ids.entries()) if (!here.has(gids[index])) gone.push({ id, deletedAt });
  }
  return gone;
}
