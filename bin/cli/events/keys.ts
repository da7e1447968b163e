/** `events keys`: with what senders sign. */
import { randomBytes } from 'node:crypto';
import type { Command } from 'commander';
import { addKey, listKeys, removeKey } from '#sql/events/keys.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { slug } from '../ui/arguments.ts';
import { confirm } from '../ui/confirm.ts';
import { UsageError } from '../ui/errors.ts';
import { readKey } from '../ui/secret_input.ts';

const SECRET_BYTES = 32;
const SECRET_CHARS_MIN = 32;

type OfBrand = { brand: string };

export function addKeys(command: Command, cli: Cli): void {
  const keys = command.command('keys').description('secrets with which senders sign the events of a brand');
  ofBrand(keys.command('add').description('make a secret for a sender, which is shown once'))
    .argument('<name>', 'the sender, such as web-shop', slug)
    .option('--key-env <variable>', 'environment variable with a secret of your own')
    .action((name: string, options: OfBrand & { keyEnv?: string }) => add(cli, name, options));
  ofBrand(keys.command('list').description('list the senders')).action(async ({ brand }: OfBrand) => {
    await using session = await openSession(cli);
    const { id } = await findBrand(session.db, brand);
    const rows = (await listKeys(session.db, id)).map(({ name, addedAt }) => ({
      key: name,
      added_at: addedAt,
    }));
    cli.out.list(rows, ['key', 'added_at']);
  });
  ofBrand(keys.command('remove').description('take nothing more that is signed with this secret'))
    .argument('<name>', 'the sender')
    .option('--yes', 'do not ask for confirmation')
    .action(async (name: string, { brand, yes }: OfBrand & { yes?: boolean }) => {
      await using session = await openSession(cli);
      const { id } = await findBrand(session.db, brand);
      await confirm(cli.io, `Refuse from now on what ${name} of ${brand} signs?`, yes);
      await session.db.transaction((tx) => removeKey(tx, id, name));
      cli.out.record({ brand, key: name, removed: true }, () => [
        `Removed key ${name}, within seconds everywhere.`,
      ]);
    });
}

export function ofBrand(verb: Command): Command {
  return verb.requiredOption('--brand <brand>', 'brand whose events they are');
}

async function add(cli: Cli, name: string, { brand, keyEnv }: OfBrand & { keyEnv?: string }): Promise<void> {
  const given = keyEnv === undefined ? undefined : await readKey({ keyEnv }, cli);
  if (given !== undefined && given.length < SECRET_CHARS_MIN)
    throw new UsageError(`The key has less than ${SECRET_CHARS_MIN} characters.`, 'openssl rand -hex 32');
  const secret = given ?? randomBytes(SECRET_BYTES).toString('hex');
  await using session = await openSession(cli);
  const { id: brandId } = await findBrand(session.db, brand);
  const { sealer } = await keyringOf(cli, session);
  await session.db.transaction((tx) => addKey(tx, sealer, { brandId, name, secret }));
  const shown = given === undefined && { secret };
  cli.out.record({ brand, key: name, path: `/events/${brand}`, ...shown }, () => [
    `Added key ${name}: signed events go to /events/${brand} of the web server.`,
    ...(shown ? [`Its secret, which is not shown again: ${secret}`] : []),
  ]);
}
