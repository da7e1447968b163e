/**
 * A cluster of the embedded server with our schema in its database. Whoever needs it first makes it, once per run;
 * tests that are not about the making take copies, which cost a tenth.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, writeFile } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import { promisify } from 'node:util';
import { makeLog } from '#runtime/log.ts';
import { migrate } from '#sql/db/migrate.ts';
import { openDb } from '#sql/db/pool.ts';
import { openServer } from '#sql/embedded/open_server.ts';
import { eventually } from '../eventually.ts';

/** Gives the embedded server of `dataDir` a copy of the cluster of `original`, both of them data directories. */
export async function copyCluster(original: string, dataDir: string): Promise<void> {
  await makeOnce(original);
  const pointer = JSON.parse(await readFile(join(original, 'postgres.json'), 'utf8'));
  const isShared = isAbsolute(pointer.home); // where the clusters of all data directories are
  const home = isShared ? `${pointer.home}-${randomBytes(4).toString('hex')}` : pointer.home;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const [from, to] = isShared ? [pointer.home, home] : [join(original, home), join(dataDir, home)];
  await promisify(execFile)('cp', ['-a', from, to]);
  await writeFile(join(dataDir, 'postgres.json'), JSON.stringify({ ...pointer, home }), { mode: 0o600 });
}

async function makeOnce(dataDir: string): Promise<void> {
  const [begun, made] = [join(dataDir, 'begun'), join(dataDir, 'made')];
  const isFirst = await mkdir(begun).then(
    () => true,
    () => false,
  );
  if (!isFirst) return eventually(() => access(made));
  {
    const settings = { fsync: 'off' };
    await using server = await openServer({ dataDir, log: makeLog('warn', 'test'), settings });
    await using db = openDb(server.url, { applicationName: 'nightshift test setup' });
    await migrate(db);
  }
  await mkdir(made);
}
