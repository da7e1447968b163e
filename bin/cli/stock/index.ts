import type { Command } from 'commander';
import { findBrand } from '#sql/tenants/brands.ts';
import { findRetailer } from '#sql/tenants/retailers.ts';
import type { Cli, Noun } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { wholeNumber } from '../ui/arguments.ts';
import { addReorderVerbs } from './reorder.ts';

export const noun: Noun = (command, cli) => {
  command.description('stock: what can be sold, how long it lasts, and what is to be ordered again');
  addList(command, cli);
  addReorderVerbs(command, cli);
};

const LISTED_MAX = 100_000;
type ListOptions = { brand: string; retailer?: string; low?: boolean; limit: number };

function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('list what can be sold, what runs out first on top')
    .requiredOption('--brand <brand>', 'brand that sells it')
    .option('--retailer <retailer>', 'only of this retailer')
    .option('--low', 'only what is at its reorder point or below')
    .option('--limit <rows>', 'how many at most', wholeNumber(1, LISTED_MAX), 1_000)
    .action(async ({ brand, retailer, low = false, limit }: ListOptions) => {
      await using session = await openSession(cli);
      const { id } = await findBrand(session.db, brand);
      const of = retailer === undefined ? null : (await findRetailer(session.db, id, retailer)).id;
      const { rows } = await session.db.query(
        `select retailer, coalesce(sku, variant_id) as sku, product, available, reorder_point, is_low, days_of_stock, sell_through
         from bi.stock where brand_id = $1 and ($2::uuid is null or retailer_id = $2) and (is_low or not $3)
         order by days_of_stock nulls last, retailer, connection_id, variant_id limit $4`,
        [id, of, low, limit],
      );
      const columns = [
        'retailer',
        'sku',
        'product',
        'available',
        'reorder_point',
        'days_of_stock',
        'sell_through',
      ];
      cli.out.list(rows, columns);
      if (rows.length === limit) cli.out.say(`There may be more than ${limit}: --limit lists them.`);
    });
}
