/** Whom a command is about: named on the line, or by a request that is open. */
import type { Command } from 'commander';
import { coded } from '#runtime/errors.ts';
import { formsOf } from '#sql/privacy/forms.ts';
import { type Identity, identitySchema } from '#sql/privacy/identity.ts';
import { personOf, readRequest, type StoredRequest } from '#sql/privacy/requests.ts';
import { textTablesOf } from '#sql/privacy/text_tables.ts';
import { type Brand, findBrand } from '#sql/tenants/brands.ts';
import { findConnection } from '#sql/tenants/connections.ts';
import { personKeyOf } from '#sql/tenants/persons.ts';
import { knownOf, placesOf } from '#tasks/privacy/person_here.ts';
import type { Reading } from '#tasks/privacy/rows_of_person.ts';
import { keyringOf } from '../shared/keyring.ts';
import type { Cli } from '../shared/noun.ts';
import type { Session } from '../shared/session.ts';
import { UsageError } from '../ui/errors.ts';

export type WhoOptions = {
  brand: string;
  email?: string;
  phone?: string;
  customer?: string;
  connection?: string;
  request?: string;
};

export class PersonUnnamed extends coded('NS_PERSON_UNNAMED') {
  constructor(why: string) {
    super(why, {
      hint: 'Name the person: --email ADDRESS, or --customer ID --connection NAME, or --request NUMBER',
    });
  }
}

export class RequestNotFound extends coded('NS_PRIVACY_REQUEST_NOT_FOUND') {
  constructor(id: number, brand: string) {
    super(`Brand ${brand} has no open request ${id}.`, {
      hint: `List its requests: npx nightshift privacy requests --brand ${brand}`,
      context: { request: id, brand },
    });
  }
}

export function whoOptions(command: Command): Command {
  return command
    .requiredOption('--brand <brand>', 'brand whose data it is')
    .option('--email <address>', 'address of the person, at any provider')
    .option('--phone <number>', 'telephone number, searched in texts')
    .option('--customer <id>', 'id by which --connection knows the person')
    .option('--connection <name>', 'connection that --customer is of')
    .option('--request <number>', 'the person of an open request');
}

export type Who = {
  brand: Brand;
  connectionId: string | null;
  identity: Identity;
  request: StoredRequest | undefined;
  reading: Reading;
};

export async function whoIs(cli: Cli, session: Session, options: WhoOptions): Promise<Who> {
  const { db } = session;
  const brand = await findBrand(db, options.brand);
  const keyring = await keyringOf(cli, session);
  const { sealer, providers } = keyring;
  const given =
    options.request === undefined
      ? await named(session, brand, options)
      : await requested(session, brand, numberOf(options.request), sealer);
  const { connectionId, identity } = given;
  const key = await personKeyOf(db, sealer, brand.id);
  const known = await knownOf(db, key, { brandId: brand.id, connectionId, identity });
  const places = await placesOf(db, brand.id, (cli.io.providers ?? providers).providers);
  return { ...given, brand, reading: { known, places, textTables: await textTablesOf(db) } };
}

type Named = Pick<Who, 'connectionId' | 'identity' | 'request'>;

async function named({ db }: Session, brand: Brand, options: WhoOptions): Promise<Named> {
  const { email, phone, customer, connection } = options;
  if ((customer === undefined) !== (connection === undefined))
    throw new UsageError('An id is known by one connection only.', 'give both --customer and --connection');
  if (email !== undefined && !/^[^\s@]+@[^\s@]+$/.test(email.trim()))
    throw new PersonUnnamed('That is no e-mail address.');
  const parsed = identitySchema.safeParse({
    ...(email !== undefined && { email: email.trim() }),
    ...(phone !== undefined && { phone: phone.trim() }),
    ...(customer !== undefined && { customer: customer.trim() }),
  });
  if (!parsed.success) throw new PersonUnnamed('A name of the person is empty or too long.');
  const isFindable =
    customer !== undefined || formsOf(parsed.data, { digest: null, names: new Map() }).length > 0;
  if (!isFindable) throw new PersonUnnamed('Nothing says whose data is meant, or too little to search for.');
  const found = connection === undefined ? undefined : await findConnection(db, brand.id, connection);
  return { connectionId: found?.id ?? null, identity: parsed.data, request: undefined };
}

async function requested(
  { db }: Session,
  brand: Brand,
  id: number,
  sealer: Parameters<typeof personOf>[1],
): Promise<Named> {
  const request = await readRequest(db, { brandId: brand.id, id });
  const identity = request && (await personOf(db, sealer, { brandId: brand.id, id }));
  if (request === undefined || identity === undefined) throw new RequestNotFound(id, brand.slug);
  const { foreign } = request.progress ?? {};
  if (foreign !== undefined)
    throw new UsageError(
      `Request ${id} is of ${foreign}, and brand ${brand.slug} has no connection to it: its ids are of somebody else here.`,
      'name the person by --email, then npx nightshift privacy done NUMBER --brand BRAND',
    );
  return { connectionId: request.connectionId, identity, request };
}

export function numberOf(text: string): number {
  const id = Number(text);
  if (Number.isSafeInteger(id) && id > 0) return id;
  throw new UsageError('A request has a number.', 'npx nightshift privacy requests lists them');
}
