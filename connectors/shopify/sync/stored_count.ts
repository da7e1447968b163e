/**
 * How many objects are stored, to be compared with Shopify's count. Counting costs as much as there is, so a run for
 * all streams of a shop in which nothing was read takes the number of the last counting, for a day at most, as long as
 * Shopify counts what it counted then and that agreed with it.
 */
import { countStored } from '../../kit/stored/stored.ts';
import type { Page, Target } from '../../kit/stream.ts';
import { checkpoint } from '../../kit/sync_run.ts';
import type { ShopifyRun } from './sync_run.ts';

const COUNTED_EACH_MS = 24 * 60 * 60_000;

/** `stream`: whose quarantined records count too. */
type Counted = {
  name: string;
  target: Target;
  stream: string;
  /** Whether so many are what Shopify's count demands. */
  isEnough(found: number): boolean;
};

/** `position` keeps what was counted now. */
export async function storedCount(
  run: ShopifyRun,
  { name, target, stream, isEnough }: Counted,
  expected: number,
): Promise<{ found: number } & Pick<Page, 'position'>> {
  const { look, context, position } = run;
  const { [name]: known, ...others } = position.counted ?? {};
  const isYoung = known && context.now().getTime() - known.at.getTime() < COUNTED_EACH_MS;
  if (look && !look.hasRead && isYoung && known.expected === expected) return { found: known.found };
  const found = await countStored(context, target, stream);
  const counted = isEnough(found) ? { ...others, [name]: { at: context.now(), expected, found } } : others;
  if (!known && (!look || !isEnough(found))) return { found }; // a run alone keeps only what is known right
  return { found, position: checkpoint(run, { ...position, counted }).position };
}
