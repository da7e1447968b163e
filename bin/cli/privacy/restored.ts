/** Schemas that a snapshot was restored into, which an erasure does not reach. */
import { dropStatement, restoredSchemas } from '#sql/snapshots/holding.ts';
import type { Brand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import type { Session } from '../shared/session.ts';

export async function sayRestored(
  cli: Cli,
  { db }: Session,
  { id, slug }: Pick<Brand, 'id' | 'slug'>,
): Promise<void> {
  for (const { schema, brandId } of await restoredSchemas(db, id))
    cli.out.say(
      `Schema ${schema} has rows of a snapshot${brandId === null ? '' : ` of ${slug}`}, which no erasure reaches: ${dropStatement({ schema })}`,
    );
}
