/** `connections add` */
import { type Command, Option } from 'commander';
import { providerOf, providers } from '#connectors/providers.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { addConnection, findConnection, type NewConnection } from '#sql/tenants/connections.ts';
import { ConnectionBeingRemoved } from '#sql/tenants/removing.ts';
import { findRetailer } from '#sql/tenants/retailers.ts';
import { tasks } from '#tasks/index.ts';
import { addDefaults } from '#workers/scheduler/defaults.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { addUnlessThere } from '../shared/options/if_missing.ts';
import { openSession } from '../shared/session.ts';
import { slug } from '../ui/arguments.ts';
import { UsageError } from '../ui/errors.ts';
import { readKey } from '../ui/secret_input.ts';
import { assertLimited, RAISING, requestsPerSecond } from './limits.ts';
import { connectionRow } from './list.ts';
import { AUTHS, authOf, storedKey } from './stored_key.ts';
import { accountZoneOption } from './zone.ts';

type Options = {
  brand: string;
  retailer?: string;
  provider: string;
  account: string;
  baseUrl?: string;
  auth?: string;
  keyEnv?: string;
  requestsPerSecond?: number;
  accountZone?: string;
  ifMissing?: boolean;
};

export function addAdd(command: Command, cli: Cli): void {
  command
    .command('add')
    .description('add a connection; its key is read from --key-env or from standard input')
    .argument('<name>', 'its name, such as acme-uk', slug)
    .requiredOption('--brand <brand>', 'brand that owns the account')
    .option('--retailer <retailer>', `retailer whose account it is; not for ${OF_BRANDS}`)
    .addOption(
      new Option('--provider <provider>', 'provider of the account')
        .choices(providers.map((provider) => provider.name))
        .makeOptionMandatory(),
    )
    .requiredOption('--account <account>', `how the provider names the account: ${FORMS}`)
    .option('--base-url <url>', 'address to use instead of the provider’s own, such as a sandbox')
    .addOption(
      new Option(
        '--auth <kind>',
        `how the key is used; default is the first one of the provider: ${WAYS}`,
      ).choices(AUTHS),
    )
    .option(
      '--key-env <variable>',
      'environment variable with the key; without it, the key is read from standard input',
    )
    .option(
      '--requests-per-second <number>',
      `request limit of the account, if the provider has raised it (${RAISING})`,
      requestsPerSecond,
    )
    .addOption(accountZoneOption())
    .option('--if-missing', 'do nothing if the connection exists')
    .action((name: string, options: Options) => add(cli, name, options));
}

async function add(cli: Cli, name: string, options: Options): Promise<void> {
  const { ifMissing } = options;
  const auth = authOf(options);
  const account = accountOf(options);
  if (options.requestsPerSecond !== undefined) assertLimited(options.provider);
  assertOwner(options);
  const { provider } = options;
  const secret = storedKey({ provider, auth, key: await readKey(options, cli) });
  await using session = await openSession(cli);
  const { db } = session;
  const brand = await findBrand(db, options.brand);
  const retailerId = options.retailer ? (await findRetailer(db, brand.id, options.retailer)).id : null;
  const { baseUrl, accountZone } = options;
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
    accountZone,
  };
  const keyring = await keyringOf(cli, session);
  const { row, added } = await addUnlessThere({
    ifMissing,
    add: () =>
      db.transaction(async (tx) => {
        const connection = await addConnection(tx, keyring, wanted);
        await addDefaults(tx, tasks, { brandId: brand.id, connectionId: connection.id });
        return connection;
      }),
    find: async () => {
      const there = await findConnection(db, brand.id, name);
      if (there.removingAt) throw new ConnectionBeingRemoved(name, brand.slug);
      return there;
    },
  });
  const said = added
    ? `Added connection ${name}.`
    : `Connection ${name} exists already; its key is unchanged.`;
  cli.out.record({ ...connectionRow(brand.slug, row), added }, () => [said]);
  cli.out.say(`Next: npx nightshift connections check ${name} --brand ${brand.slug}`);
}

/** Providers whose connections are of a whole brand. */
const OF_BRANDS = providers
  .filter(({ level }) => level === 'brand')
  .map(({ title }) => title)
  .join(', ');

function assertOwner({ provider, retailer }: Options): void {
  const { title, level } = providerOf(provider);
  if ((retailer === undefined) === (level === 'brand')) return;
  throw level === 'brand'
    ? new UsageError(
        `A connection to ${title} belongs to the whole brand.`,
        'leave out --retailer; connections map gives parts of it to retailers',
      )
    : new UsageError(`A connection to ${title} belongs to one retailer.`, 'name it with --retailer');
}

const FORMS = providers.map(({ title, account }) => `${account.written} of ${title}`).join(', ');
const WAYS = providers
  .map(({ title, key }) => {
    const ways = key.auth.map(({ name, means }) => (means ? `${name} (${means})` : name));
    return `of ${title} ${ways.join(' or ')}`;
  })
  .join(', ');

function accountOf({ provider, account }: Options): string {
  const { title, account: form } = providerOf(provider);
  const found = form.read(account);
  if (found !== undefined) return found;
  throw new UsageError(`An account of ${title} is written ${form.written}.`, form.found);
}
