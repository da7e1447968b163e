/** The connection that letters go through. */
import type { Mail } from '#connectors/kit/mail.ts';
import { builtIn } from '#connectors/providers.ts';
import type { Db } from '#sql/db/pool.ts';
import { readSender, SenderMissing } from '#sql/mail/senders.ts';
import { type Brand, findBrand, listBrands } from '#sql/tenants/brands.ts';
import type { Connection } from '#sql/tenants/connections.ts';
import { everyConnection, type Found, findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { UsageError } from '../ui/errors.ts';

export type Mailing = Found & { mail: Mail };

export function mailOf(cli: Cli, { provider, name }: Connection): Mail {
  const { mail, title } = (cli.io.providers ?? builtIn).providerOf(provider);
  if (mail === undefined)
    throw new UsageError(
      `${title} sends no mail, so connection ${name} cannot.`,
      'npx nightshift connections list shows the others',
    );
  return mail;
}

/** The one that is named, or the only one that there is: nothing is done to the mail of a brand that nobody named. */
export async function theBrand(db: Db, slug: string | undefined): Promise<Brand> {
  if (slug !== undefined) return findBrand(db, slug);
  const [only, second] = await listBrands(db);
  if (only !== undefined && second === undefined) return only;
  throw new UsageError('Of which brand?', 'add --brand BRAND');
}

type Wanted = { brand: string | undefined; connection: string | undefined };

/** The one that is named, or the only one that has a sender. Throws NS_MAIL_SENDER_MISSING if it has none. */
export async function findMailing(cli: Cli, db: Db, { brand, connection }: Wanted): Promise<Mailing> {
  const found =
    connection === undefined ? await theOnlyOne(db, brand) : await findTheConnection(db, connection, brand);
  const mail = mailOf(cli, found.connection);
  const key = { brandId: found.connection.brandId, connectionId: found.connection.id };
  if ((await readSender(db, key)) === undefined) throw new SenderMissing(found.connection.name);
  return { ...found, mail };
}

async function theOnlyOne(db: Db, brand: string | undefined): Promise<Found> {
  const found: Found[] = [];
  for (const one of await everyConnection(db, brand)) {
    const { brandId, id } = one.connection;
    if ((await readSender(db, { brandId, connectionId: id })) !== undefined) found.push(one);
  }
  const [only, second] = found;
  if (only !== undefined && second === undefined) return only;
  throw new UsageError(
    only === undefined ? 'No connection has a sender yet.' : 'Several connections have a sender.',
    only === undefined
      ? 'npx nightshift mail sender CONNECTION --from ADDRESS'
      : `add --connection ${only.connection.name} --brand ${only.brand.slug}`,
  );
}
