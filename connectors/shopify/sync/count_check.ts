/** Compares Shopify's own total with what is stored: finds objects that no window brought. */
import { counted, isOrAre } from '#runtime/wording.ts';
import { FULL_DID_NOT_HELP } from '../../kit/errors.ts';
import type { Page } from '../../kit/stream.ts';
import { emptyPage } from '../../kit/sync_run.ts';
import type { Collection } from './collection.ts';
import type { Wanted } from './look.ts';
import { storedCount } from './stored_count.ts';
import { BEGINNING, type ShopifyRun } from './sync_run.ts';
import { countWindow, lookedCount, wantedCount } from './window.ts';

const TWO_DAYS_MS = 2 * 24 * 60 * 60_000;

/** The query of the check for a run that reads changes up to there. */
export function wantedOfCheck(collection: Collection, end: Date): Wanted[] {
  return wantedCount(...totalOf(collection, end));
}

function totalOf({ count, changedFilter, filtersWholeDays }: Collection, end: Date) {
  // With a filter by whole days in the zone of the shop, only a day that is over everywhere can be counted.
  const to = filtersWholeDays ? new Date(end.getTime() - TWO_DAYS_MS) : end;
  return [
    { count, filterField: changedFilter },
    { from: BEGINNING, to },
  ] as const;
}

/** Everything that Shopify counts up to the position must be stored; later objects may be. */
export async function countCheck(run: ShopifyRun, stream: string, collection: Collection): Promise<Page> {
  const { changesTo } = run.position;
  const empty = emptyPage(run);
  if (changesTo === undefined) return empty;
  const total = totalOf(collection, changesTo);
  let expected = await lookedCount(run, ...total);
  if (expected === undefined) return empty;
  const { name, target } = collection;
  const looked = expected;
  const isEnough = (stored: number) => stored >= looked;
  const { found, position } = await storedCount(run, { name, target, stream, isEnough }, looked);
  // Objects that changed after the look are in its count, but no longer in the window that was read.
  if (run.look && found < expected) expected = (await countWindow(run, ...total)) ?? expected;
  const page = { ...empty, ...(position !== undefined && { position }) };
  const check = { name: `${name} in all`, expected, found, ok: found >= expected };
  if (check.ok) return { ...page, checks: [check] };
  const then = run.context.full ? FULL_DID_NOT_HELP : 'sync everything again with --full';
  const incomplete = `Shopify counts ${counted(expected, collection.name)} in all, ${found} ${isOrAre(found)} stored: ${then}`;
  return { ...page, checks: [{ ...check, cause: incomplete }], incomplete };
}
