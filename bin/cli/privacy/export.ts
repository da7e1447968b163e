/** `privacy export`: all rows of a person, as lines of JSON. Nothing of it is stored anywhere else. */
import { open } from 'node:fs/promises';
import type { Command } from 'commander';
import { recordAction } from '#sql/tenants/audit.ts';
import { rowsOfPerson } from '#tasks/privacy/rows_of_person.ts';
import type { Cli } from '../shared/noun.ts';
import { reasonOf } from '../shared/read_file.ts';
import { openSession } from '../shared/session.ts';
import { UsageError } from '../ui/errors.ts';
import { count } from '../ui/format.ts';
import type { Stream } from '../ui/output.ts';
import { type WhoOptions, whoIs, whoOptions } from './who.ts';

const OWNER_ONLY = 0o600;

export function addExport(command: Command, cli: Cli): void {
  whoOptions(command.command('export'))
    .description('write all that is stored of a person, a line of JSON for each row')
    .option('--output <file>', 'a new file that only you can read; standard output by default')
    .action((options: WhoOptions & { output?: string }) => exportPerson(cli, options));
}

async function exportPerson(cli: Cli, options: WhoOptions & { output?: string }): Promise<void> {
  await using session = await openSession(cli);
  const { brand, request, reading } = await whoIs(cli, session, options);
  await using to = await target(cli, options.output);
  // Before anything goes out: one that breaks off has handed out something too.
  await session.db.transaction((tx) =>
    recordAction(tx, {
      action: 'privacy.export',
      ...{ brandId: brand.id, target: brand.slug },
      ...(request && { details: { request: request.id } }),
    }),
  );
  let total = 0;
  for await (const { table, connectionId, rows } of rowsOfPerson(session.db, reading)) {
    await to.write(
      rows.map((row) => `${JSON.stringify({ table, connection_id: connectionId, row })}\n`).join(''),
    );
    total += rows.length;
  }
  cli.out.say(`Exported ${count(total, 'row')}.`);
  if (request)
    cli.out.say(`Once it is handed over: npx nightshift privacy done ${request.id} --brand ${brand.slug}`);
}

type Target = AsyncDisposable & { write(text: string): Promise<void> };

async function target({ io }: Cli, file: string | undefined): Promise<Target> {
  if (file === undefined) {
    return {
      write: (text) => written(io.stdout, text),
      async [Symbol.asyncDispose]() {},
    };
  }
  // A file that is there may be read by others, or be a link to one that is.
  const handle = await open(file, 'wx', OWNER_ONLY).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') throw new UsageError(`There is a file ${file} already.`, 'name a new one');
    throw new UsageError(
      `${file} cannot be written: ${reasonOf(error)}.`,
      'name a file in a directory that is there',
    );
  });
  return {
    write: async (text) => void (await handle.write(text)),
    [Symbol.asyncDispose]: () => handle.close(),
  };
}

/** Waits for a reader that is slower than the database. */
function written(stdout: Stream, text: string): Promise<void> {
  return new Promise((resolve) => {
    if (stdout.write(text) || !('once' in stdout)) resolve();
    else (stdout as NodeJS.WriteStream).once('drain', resolve);
  });
}
