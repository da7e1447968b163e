/** Changes of campaigns: what they mark is computed by a rollup of the brand that commits with them. */
import type { Command } from 'commander';
import type { Tx } from '#sql/db/pool.ts';
import { enqueue } from '#tasks/enqueue.ts';
import { rollup } from '#tasks/rollup.ts';
import { attempt } from '../shared/options/rehearse.ts';
import type { Session } from '../shared/session.ts';

export function ofBrand(verb: Command): Command {
  return verb.requiredOption('--brand <brand>', 'brand whose campaign it is');
}

export function change<T>(
  { db }: Session,
  brandId: string,
  fn: (tx: Tx) => Promise<T>,
  { dryRun }: { dryRun?: boolean } = {},
): Promise<T> {
  return attempt(db, dryRun, async (tx) => {
    const result = await fn(tx);
    await enqueue(tx, rollup, { brandId, retailerId: null });
    return result;
  });
}
