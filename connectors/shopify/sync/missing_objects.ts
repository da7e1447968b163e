/**
 * Stored objects that Shopify no longer has although no event reported it: Shopify keeps events for a year, and does
 * not promise one for every deletion. Counts reveal such objects, and a sync that finds some is incomplete; a full sync
 * requests each stored object by its id and deletes the missing ones.
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
  const isEnough = (stored: number) => stored <= expected;
  const stored = { name, target, stream: target.stream, isEnough };
  const { found, position } = await storedCount(run, stored, expected);
  if (position !== undefined) yield { ...emptyPage(run), position };
  if (found <= expected) return;
  const gone = run.context.full ? await findGone(run, kind) : [];
  // More missing objects than the count lacks are impossible: then the answers are not trusted.
  const deletions = gone.length <= found - expected ? gone : [];
  const check = { name: `${name} that are gone`, expected, found: found - deletions.length };
  const page: Page = { ...emptyPage(run), deletions, target };
  if (check.found === expected) return yield { ...page, checks: [{ ...check, ok: true }] };
  const incomplete = `${counted(check.found, name)} ${isOrAre(check.found)} stored, Shopify counts ${expected}: ${
    run.context.full
      ? `it says that ${gone.length} are gone; ${FULL_DID_NOT_HELP}`
      : 'sync deletions again with --full'
  }`;
  yield { ...page, checks: [{ ...check, ok: false, cause: incomplete }], incomplete };
}

/** The queries of this check for a run that reads changes up to there. */
export function wantedOfKind(kind: Kind, end: Date): Wanted[] {
  return wantedCount(...allOf(kind, end));
}

function allOf({ count }: Kind, end: Date) {
  const to = new Date(end.getTime() + 2 * DAY_MS); // beyond any clock difference
  return [
    { count, filterField: 'updated_at' },
    { from: BEGINNING, to },
  ] as const;
}

async function findGone(run: ShopifyRun, kind: Kind): Promise<Deletion[]> {
  const gone: Deletion[] = [];
  // Quarantined records too: they may be deleted as well.
  for await (const ids of storedIds(run.context, kind.target, IDS)) {
    const deletedAt = run.context.now();
    const gids = ids.map((id) => `gid://shopify/${kind.type}/${id}`);
    const { nodes } = await run.shopify.ask(nodesById, { ids: gids }, nodesSchema);
    const here = new Set(nodes.map((node) => node?.id));
    for (const [index, id] of ids.entries()) if (!here.has(gids[index])) gone.push({ id, deletedAt });
  }
  return gone;
}
