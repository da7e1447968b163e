import type { Command } from 'commander';
import { providers } from '#connectors/providers.ts';
import type { Db } from '#sql/db/pool.ts';
import { findBrand, listBrands } from '#sql/tenants/brands.ts';
import { keepRetailer } from '#sql/tenants/removing.ts';
import { addRetailer, findRetailer, listRetailers } from '#sql/tenants/retailers.ts';
import type { Cli, Noun } from '../shared/noun.ts';
import { addUnlessThere } from '../shared/options/if_missing.ts';
import { addRemoveOptions, type Found, type RemoveOptions, remove, renameFound } from '../shared/remove.ts';
import { openSession } from '../shared/session.ts';
import { slug, title } from '../ui/arguments.ts';

export const noun: Noun = (command, cli) => {
  command.description('retailers: the retailers that brands sell through');
  addAdd(command, cli);
  addList(command, cli);
  addRename(command, cli);
  addRemove(command, cli);
};

async function found(db: Db, brandSlug: string, name: string): Promise<Found> {
  const brand = await findBrand(db, brandSlug);
  const { id, removingAt } = await findRetailer(db, brand.id, name);
  const owner = { kind: 'retailer', brandId: brand.id, id } as const;
  return { brand, owner, name, removing: removingAt !== null };
}

function addRename(command: Command, cli: Cli): void {
  command
    .command('rename')
    .description('change the short name of a retailer; nothing else changes')
    .argument('<slug>', 'the retailer')
    .argument('<new slug>', 'its new short name', slug)
    .requiredOption('--brand <brand>', 'brand that sells through it')
    .action((name: string, to: string, { brand }: { brand: string }) =>
      renameFound(cli, to, (db) => found(db, brand, name)),
    );
}

function addRemove(command: Command, cli: Cli): void {
  const verb = command
    .command('remove')
    .description('remove a retailer with its connections, rows and figures')
    .argument('<slug>', 'the retailer')
    .requiredOption('--brand <brand>', 'brand that sells through it');
  addRemoveOptions(verb).action((name: string, options: RemoveOptions & { brand: string }) =>
    remove(cli, options, (db) => found(db, options.brand, name)),
  );
}

type AddOptions = { brand: string; name?: string; ifMissing?: boolean };

function addAdd(command: Command, cli: Cli): void {
  command
    .command('add')
    .description('add a retailer to a brand')
    .argument('<slug>', 'its short name, such as uk', slug)
    .requiredOption('--brand <brand>', 'brand that sells through it')
    .option('--name <name>', 'display name (default: the slug)', title)
    .option('--if-missing', 'do nothing if the retailer exists')
    .action(async (retailer: string, { brand, name = retailer, ifMissing }: AddOptions) => {
      await using session = await openSession(cli);
      const { db } = session;
      const { id: brandId } = await findBrand(db, brand);
      const { row, added } = await addUnlessThere({
        ifMissing,
        add: () => db.transaction((tx) => addRetailer(tx, { brandId, slug: retailer, name })),
        find: async () => {
          const there = await findRetailer(db, brandId, retailer);
          await db.transaction((tx) => keepRetailer(tx, brandId, there.id));
          return there;
        },
      });
      const said = added ? `Added retailer ${retailer} of ${brand}.` : `Retailer ${retailer} exists already.`;
      cli.out.record({ brand, retailer, name: row.name, id: row.id, added }, () => [said]);
      const options = `--brand ${brand} --retailer ${retailer} --provider PROVIDER --account ACCOUNT`;
      cli.out.say(`Next: npx nightshift connections add NAME ${options} --key-env VARIABLE`);
      cli.out.say(
        `PROVIDER is ${providers.map(({ name }) => name).join(' or ')}; npx nightshift connections add --help says more.`,
      );
    });
}

function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('list all retailers, or those of one brand')
    .option('--brand <brand>', 'only retailers of this brand')
    .action(async ({ brand }: { brand?: string }) => {
      await using session = await openSession(cli);
      const brands =
        brand === undefined ? await listBrands(session.db) : [await findBrand(session.db, brand)];
      const rows = [];
      for (const { id, slug: name } of brands) {
        const retailers = await listRetailers(session.db, id);
        rows.push(
          ...retailers.map((retailer) => ({
            brand: name,
            retailer: retailer.slug,
            name: retailer.name,
            state: retailer.removingAt ? 'removing' : 'active',
            id: retailer.id,
          })),
        );
      }
      cli.out.list(rows, ['brand', 'retailer', 'name', 'state']);
    });
}
