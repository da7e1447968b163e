import type { Command } from 'commander';
import { pingedBrands } from '#sql/alerts/pings.ts';
import type { Db, Tx } from '#sql/db/pool.ts';
import {
  addBrand,
  type Brand,
  type BrandChange,
  changeReportingCurrency,
  changeTimeZone,
  findBrand,
  listBrands,
  type Marked,
} from '#sql/tenants/brands.ts';
import { keepBrand } from '#sql/tenants/removing.ts';
import { tasks } from '#tasks/index.ts';
import { addDefaults } from '#workers/scheduler/defaults.ts';
import type { Cli, Noun } from '../shared/noun.ts';
import { addUnlessThere } from '../shared/options/if_missing.ts';
import { recompute } from '../shared/recompute.ts';
import { addRemoveOptions, type Found, type RemoveOptions, remove, renameFound } from '../shared/remove.ts';
import { openSession } from '../shared/session.ts';
import { currency, slug, title, zone } from '../ui/arguments.ts';
import { confirm } from '../ui/confirm.ts';
import { count } from '../ui/format.ts';
import { addKeep } from './keep.ts';
import { addPing } from './ping.ts';

export const noun: Noun = (command, cli) => {
  command.description('brands: their names, the time zone of their days, their reporting currency');
  addAdd(command, cli);
  addList(command, cli);
  addChange(command, cli, {
    ...{ verb: 'set-zone', argument: '<zone>', parse: zone, what: 'time zone', change: changeTimeZone },
    description: 'change the time zone of the brand’s days; recomputes every day',
  });
  addChange(command, cli, {
    ...{ verb: 'set-currency', argument: '<currency>', parse: currency, what: 'reporting currency' },
    change: changeReportingCurrency,
    description: 'change the currency of consolidated figures; recomputes every day',
  });
  addKeep(command, cli);
  addPing(command, cli);
  addRename(command, cli);
  addRemove(command, cli);
};

async function found(db: Db, name: string): Promise<Found> {
  const brand = await findBrand(db, name);
  const owner = { kind: 'brand', brandId: brand.id, id: brand.id } as const;
  return { brand, owner, name, removing: brand.removingAt !== null };
}

function addRename(command: Command, cli: Cli): void {
  command
    .command('rename')
    .description('change the short name of a brand; nothing else changes')
    .argument('<slug>', 'the brand')
    .argument('<new slug>', 'its new short name', slug)
    .action((name: string, to: string) => renameFound(cli, to, (db) => found(db, name)));
}

function addRemove(command: Command, cli: Cli): void {
  const verb = command
    .command('remove')
    .description('remove a brand with its retailers, connections, rows and figures')
    .argument('<slug>', 'the brand');
  addRemoveOptions(verb).action((name: string, options: RemoveOptions) =>
    remove(cli, options, (db) => found(db, name)),
  );
}

type AddOptions = { name?: string; zone: string; currency: string; ifMissing?: boolean };

function addAdd(command: Command, cli: Cli): void {
  command
    .command('add')
    .description('add a brand')
    .argument('<slug>', 'its short name, such as acme', slug)
    .option('--name <name>', 'display name (default: the slug)', title)
    .requiredOption('--zone <zone>', 'IANA time zone of its days, such as Europe/London', zone)
    .requiredOption('--currency <code>', 'ISO 4217 currency of consolidated figures, such as GBP', currency)
    .option('--if-missing', 'do nothing if the brand exists')
    .action(async (name: string, options: AddOptions) => {
      await using session = await openSession(cli);
      const { db } = session;
      const { zone: timeZone, currency: reportingCurrency, ifMissing } = options;
      const wanted = { slug: name, name: options.name ?? name, timeZone, reportingCurrency };
      const { row, added } = await addUnlessThere({
        ifMissing,
        add: () =>
          db.transaction(async (tx) => {
            const brand = await addBrand(tx, wanted);
            await addDefaults(tx, tasks, { brandId: brand.id, connectionId: null });
            return brand;
          }),
        find: async () => {
          const brand = await findBrand(db, name);
          await db.transaction((tx) => keepBrand(tx, brand.id));
          return brand;
        },
      });
      const said = added
        ? `Added brand ${name}.`
        : `Brand ${name} exists already, with ${row.timeZone} and ${row.reportingCurrency}.`;
      cli.out.record({ ...shown(row), added }, () => [said]);
      cli.out.say(`Next: npx nightshift retailers add SLUG --brand ${name}`);
    });
}

function addList(command: Command, cli: Cli): void {
  command
    .command('list')
    .description('list all brands')
    .action(async () => {
      await using session = await openSession(cli);
      const brands = await listBrands(session.db);
      const pinged = await pingedBrands(session.db);
      cli.out.list(
        brands.map((brand) => ({ ...shown(brand), has_ping: pinged.has(brand.id) })),
        ['brand', 'name', 'time_zone', 'reporting_currency', 'state', 'has_ping'],
      );
    });
}

type Change = {
  verb: string;
  argument: string;
  parse: (text: string) => string;
  what: string;
  description: string;
  change: (tx: Tx, value: string, change: BrandChange) => Promise<Marked>;
};

type ChangeOptions = { yes?: boolean; dryRun?: boolean };

function addChange(
  command: Command,
  cli: Cli,
  { verb, argument, parse, what, description, change }: Change,
): void {
  command
    .command(verb)
    .description(description)
    .argument('<slug>', 'the brand')
    .argument(argument, `its new ${what}`, parse)
    .option('--dry-run', 'show what would be recomputed and change nothing')
    .option('--yes', 'do not ask for confirmation')
    .action(async (name: string, value: string, { yes, dryRun }: ChangeOptions) => {
      await using session = await openSession(cli);
      const brand = await findBrand(session.db, name);
      if (!dryRun)
        await confirm(cli.io, `Change the ${what} of ${name} to ${value} and recompute its history?`, yes);
      const result = await recompute(session, { brandId: brand.id, dryRun }, (tx, tables, now) =>
        change(tx, value, { brandId: brand.id, tables, now }),
      );
      const tense = dryRun ? 'would be' : 'are';
      cli.out.record({ brand: name, changed_to: value, dry_run: dryRun === true, ...result }, () => [
        `${count(result.days, 'day')} of ${count(result.retailers, 'retailer')} ${tense} marked to be recomputed.`,
      ]);
    });
}

function shown({ slug: brand, name, timeZone, reportingCurrency, removingAt, id }: Brand) {
  const state = removingAt ? 'removing' : 'active';
  return { brand, name, time_zone: timeZone, reporting_currency: reportingCurrency, state, id };
}
