/**
 * A cluster of the embedded server with our schema in its database. Whoever needs it first makes it, once per run;
 * tests that are not about the making take copies, which cost a tenth.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { access, mkdir, readFile, statfs, writeFile } from 'node:fs/promises';
import { basename, isAbsolute, join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { makeLog } from '#runtime/log.ts';
import { migrate } from '#sql/db/migrate.ts';
import { openDb } from '#sql/db/pool.ts';
import { openServer } from '#sql/embedded/open_server.ts';
import { eventually } from '../eventually.ts';

const MEMORY = '/dev/shm';
const MEMORY_BYTES_MIN = 6 * 2 ** 30; // a whole run takes a quarter of it

/**
 * Gives the embedded server of `dataDir` a copy of the cluster of `original`, both of them data directories. The copy is
 * in memory where there is room for it: a file system on disk looks at each file that was removed in the last minute
 * before it makes one, and a run makes and removes tens of thousands.
 */
export async function copyCluster(original: string, dataDir: string): Promise<void> {
  await makeOnce(original);
  const pointer = JSON.parse(await readFile(join(original, 'postgres.json'), 'utf8'));
  const name = `${basename(pointer.home)}-${randomBytes(4).toString('hex')}`;
  const isShared = isAbsolute(pointer.home); // where the clusters of all data directories are
  const beside = isShared ? join(pointer.home, '..', name) : name;
  const home = (await hasMemory()) ? join(MEMORY, name) : beside;
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  await promisify(execFile)('cp', ['-a', resolve(original, pointer.home), resolve(dataDir, home)]);
  await writeFile(join(dataDir, 'postgres.json'), JSON.stringify({ ...pointer, home }), { mode: 0o600 });
}

async function hasMemory(): Promise<boolean> {
  const disk = await statfs(MEMORY).catch(() => undefined); // not every system has one
  return disk !== undefined && disk.bavail * disk.bsize >= MEMORY_BYTES_MIN;
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
