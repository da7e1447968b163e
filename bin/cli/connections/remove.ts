/** `connections remove` and `connections rename` */
import type { Command } from 'commander';
import type { Db } from '#sql/db/pool.ts';
import { findTheConnection } from '../shared/find_connection.ts';
import type { Cli } from '../shared/noun.ts';
import { whichConnection } from '../shared/options/options.ts';
import { addRemoveOptions, type Found, type RemoveOptions, remove, renameFound } from '../shared/remove.ts';
import { slug } from '../ui/arguments.ts';

export function addRemove(command: Command, cli: Cli): void {
  const verb = whichConnection(command.command('remove'));
  verb.description('remove the connection and all its rows; its days are recomputed from what remains');
  addRemoveOptions(verb).action((name: string, options: RemoveOptions) =>
    remove(cli, options, (db) => found(db, name, options.brand)),
  );
}

export function addRename(command: Command, cli: Cli): void {
  whichConnection(command.command('rename'))
    .description('rename the connection; its data, jobs and sync state stay')
    .argument('<new name>', 'its new name', slug)
    .action((name: string, to: string, { brand }: { brand?: string }) =>
      renameFound(cli, to, (db) => found(db, name, brand)),
    );
}

async function found(db: Db, name: string, whose: string | undefined): Promise<Found> {
  const { brand, connection } = await findTheConnection(db, name, whose);
  const owner = { kind: 'connection', brandId: brand.id, id: connection.id } as const;
  return { brand, owner, name: connection.name, removing: connection.removingAt !== null };
}
