/** `connections add` */
import { type Command, Option } from 'commander';
import { keyForms } from '#connectors/keys.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { addConnection, findConnection, type NewConnection } from '#sql/tenants/connections.ts';
import type { Provider } from '#sql/tenants/hosts.ts';
import { ConnectionBeingRemoved } from '#sql/tenants/removing.ts';
import { findRetailer } from '#sql/tenants/retailers.ts';
import { addUnlessThere } from '../shared/if_missing.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { slug } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { readKey } from '../ui/secret_input.ts';
import { assertLimited, requestsPerSecond } from './limits.ts';
import { connectionRow } from './list.ts';
import { authOf, storedKey } from './stored_key.ts';

type Options = {
  brand: string;
  retailer: string;
  provider: Provider;
  account: string;
  baseUrl?: string;
  auth?: string;
  keyEnv?: string;
  requestsPerSecond?: number;
  ifMissing?: boolean;
};

export function addAdd(command: Command, cli: Cli): void {
  command
    .command('add')
    .description('add a connection; its key comes from --key-env or from standard input')
    .argument('<name>', 'what to call it, such as acme-uk', slug)
    .requiredOption('--brand <brand>', 'whose account it is')
    .requiredOption('--retailer <retailer>', 'whose sales it brings')
    .addOption(
      new Option('--provider <provider>', 'who is asked')
        .choices(Object.keys(keyForms))
        .makeOptionMandatory(),
    )
    .requiredOption('--account <account>', 'of a Shopify shop: its SHOP.myshopify.com; of Stripe: its acct_…')
    .option('--base-url <url>', 'another address than the provider’s own, such as a sandbox')
    .addOption(
      new Option(
        '--auth <kind>',
        'how the key is used; of Stripe: for its own account, or for a connected one',
      ).choices(Object.values(keyForms).flatMap((form) => [...form.auth])),
    )
    .option(
      '--key-env <variable>',
      'environment variable that holds the key; else it is read from standard input',
    )
    .option(
      '--requests-per-second <number>',
      'what Stripe allows the account, where it has raised that',
      requestsPerSecond,
    )
    .option('--if-missing', 'do nothing when it is there already')
    .action((name: string, options: Options) => add(cli, name, options));
}

async function add(cli: Cli, name: string, options: Options): Promise<void> {
  const { ifMissing } = options;
  const auth = authOf(options);
  const account = accountOf(options);
  if (options.requestsPerSecond !== undefined) assertLimited(options.provider);
  const { provider } = options;
  const secret = storedKey({ provider, auth, key: await readKey(options, cli.env) });
  await using session = await openSession(cli);
  const { db } = session;
  const brand = await findBrand(db, options.brand);
  const { id: retailerId } = await findRetailer(db, brand.id, options.retailer);
  const { baseUrl } = options;
  const wanted: NewConnection = {
    brandId: brand.id,
    retailerId,
    name,
    provider,
    account,
    baseUrl,
    auth,
    secret,
    requestsPerSecond: options.requestsPerSecond,
  };
  const keyring = await keyringOf(cli, session);
  const { row, added } = await addUnlessThere({
    ifMissing,
    add: () => db.transaction((tx) => addConnection(tx, keyring, wanted)),
    find: async () => {
      const there = await findConnection(db, brand.id, name);
      if (there.removingAt) throw new ConnectionBeingRemoved(name, brand.slug);
      return there;
    },
  });
  const said = added
    ? `Added connection ${name}.`
    : `Connection ${name} is there already; its key was left alone.`;
  cli.out.record({ ...connectionRow(brand.slug, row), added }, () => [said]);
  cli.out.say(`Next: npx nightshift connections check ${name} --brand ${brand.slug}`);
}

function accountOf({ provider, account }: Options): string {
  if (provider === 'shopify') return shop(account);
  if (/^acct_[A-Za-z0-9_]{1,60}$/.test(account)) return account;
  throw new UsageError(
    'The account of Stripe is its id, acct_….',
    'Stripe shows it in the dashboard under Settings, Account details',
  );
}

function shop(text: string): string {
  const account = text.includes('.') ? text : `${text}.myshopify.com`;
  if (/^[a-z0-9][a-z0-9-]{0,62}\.myshopify\.com$/.test(account)) return account;
  throw new UsageError(
    'The account of a shop is its SHOP.myshopify.com, not its public domain.',
    'Shopify shows it in the admin under Settings, Domains',
  );
}
