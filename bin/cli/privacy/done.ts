/** `privacy done` */
import type { Command } from 'commander';
import { finishRequest } from '#sql/privacy/requests.ts';
import { findBrand } from '#sql/tenants/brands.ts';
import type { Cli } from '../shared/noun.ts';
import { openSession } from '../shared/session.ts';
import { numberOf, RequestNotFound } from './who.ts';

export function addDone(command: Command, cli: Cli): void {
  command
    .command('done')
    .description('note that a request is done: an export was handed over, or it was done in another way')
    .argument('<number>', 'number of the request')
    .requiredOption('--brand <brand>', 'brand that it is of')
    .action((number: string, { brand }: { brand: string }) => done(cli, number, brand));
}

async function done(cli: Cli, number: string, slug: string): Promise<void> {
  const id = numberOf(number);
  await using session = await openSession(cli);
  const brand = await findBrand(session.db, slug);
  const isDone = await session.db.transaction((tx) => finishRequest(tx, { brandId: brand.id, id }));
  if (!isDone) throw new RequestNotFound(id, brand.slug);
  cli.out.record({ brand: brand.slug, request: id, done: true }, () => [`Request ${id} is done.`]);
}
