/** `connections remove` and `connections rename` */
import type { Command } from 'commander';
import type { Db } from '#sql/db/pool.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { addRemoveOptions, type Found, type RemoveOptions, remove, renameFound } from '../shared/remove.ts';
import { slug } from '../ui/arguments.ts';

export function addRemove(command: Command, cli: Cli): void {
  const verb = command
    .command('remove')
    .description('remove it with all its rows; its days are computed again from what remains')
    .argument('<name>', 'the connection, or its id')
    .option('--brand <brand>', 'whose it is');
  addRemoveOptions(verb).action((name: string, options: RemoveOptions) =>
    remove(cli, options, (db) => found(db, name, options.brand)),
  );
}

export function addRename(command: Command, cli: Cli): void {
  command
    .command('rename')
    .description('give it another name; its data, jobs and position stay')
    .argument('<name>', 'the connection, or its id')
    .argument('<new name>', 'what to call it from now on', slug)
    .option('--brand <brand>', 'whose it is')
    .action((name: string, to: string, { brand }: { brand?: string }) =>
      renameFound(cli, to, (db) => found(db, name, brand)),
    );
}

async function found(db: Db, name: string, whose: string | undefined): Promise<Found> {
  const { brand, connection } = await findTheConnection(db, name, whose);
  const owner = { kind: 'connection', brandId: brand.id, id: connection.id } as const;
  return { brand, owner, name: connection.name, removing: connection.removingAt !== null };
}
