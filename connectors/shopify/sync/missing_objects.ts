/**
 * Stored objects that Shopify no longer has although no event reported it: Shopify keeps events for a year, and does
 * not promise one for every deletion. Counts reveal such objects, and a sync that finds some is incomplete; a full sync
 * requests each stored object by its id and deletes the missing ones. Deletions of the last minute are in the counts
 * already, but their events are read by the next run: it judges what these may explain.
 */
import { z } from 'zod';
import { counted, isOrAre } from '#runtime/wording.ts';
import type { Deletion } from '#sql/load/table.ts';
import { FULL_DID_NOT_HELP } from '../../kit/errors.ts';
import { failingChecks } from '../../kit/failing.ts';
import { storedIds } from '../../kit/stored/stored.ts';
import type { Page, Target } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import { nodesById, PAGE_SIZE_MAX } from '../api/queries.ts';
import type { Collection } from './collection.ts';
import type { Feed } from './feed.ts';
import { endOfChanges } from './incremental.ts';
import type { Wanted } from './look.ts';
import { storedCount } from './stored_count.ts';
import { BEGINNING, type ShopifyRun } from './sync_run.ts';
import { countWindow, lookedCount, wantedCount } from './window.ts';

/** `type` as in its ids. */
export type Kind = Pick<Collection, 'name' | 'type' | 'count' | 'changedFilter'> & {
  target: Target & { stream: string };
};

/** The stream that this check is of. */
const STREAM = 'shopify.deletions';
const IDS = { idPattern: '^[0-9]+$', size: PAGE_SIZE_MAX };
const DAY_MS = 24 * 60 * 60_000;
const nodesSchema = z.object({ nodes: z.array(z.object({ id: z.string() }).nullable()) });

/** `events`: the deletions. */
export async function* missingObjectPages(run: ShopifyRun, kind: Kind, events: Feed): AsyncGenerator<Page> {
  const { name, target } = kind;
  const expected = await lookedCount(run, ...allOf(kind, endOfChanges(run)));
  if (expected === undefined) return;
  const isEnough = (stored: number) => stored <= expected;
  const stored = { name, target, stream: target.stream, isEnough };
  const { found, position } = await storedCount(run, stored, expected);
  if (position !== undefined) yield { ...emptyPage(run), position };
  const checkName = `${name} that are gone`;
  if (found <= expected) {
    if ((await failingChecks(run.context, STREAM)).has(checkName))
      yield { ...emptyPage(run), checks: [{ name: checkName, expected, found, ok: true }] };
    return;
  }
  if (!run.context.full && found - expected <= (await unreadDeletions(run, events))) return;
  const gone = run.context.full ? await findGone(run, kind) : [];
  // More missing objects than the count lacks are impossible: then the answers are not trusted.
  const deletions = gone.length <= found - expected ? gone : [];
  const check = { name: checkName, expected, found: found - deletions.length };
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

function allOf({ count, changedFilter }: Kind, end: Date) {
  const to = new Date(end.getTime() + 2 * DAY_MS); // beyond any clock difference
  return [
    { count, filterField: changedFilter },
    { from: BEGINNING, to },
  ] as const;
}

/** Events after those that this run reads, whatever they are of. */
async function unreadDeletions(run: ShopifyRun, events: Feed): Promise<number> {
  const from = endOfChanges(run);
  return (await countWindow(run, events, { from, to: new Date(from.getTime() + 2 * DAY_MS) })) ?? 0;
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
