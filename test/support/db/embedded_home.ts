import { readFile, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';

/** Where the embedded server of this data directory keeps its cluster, if it has one. */
export async function embeddedHome(dataDir: string): Promise<string | undefined> {
  const pointer = await readFile(join(dataDir, 'postgres.json'), 'utf8').catch(() => undefined);
  return pointer && resolve(dataDir, JSON.parse(pointer).home);
}

/** With its cluster, whose server is down. */
export async function removeDataDir(dataDir: string): Promise<void> {
  const home = await embeddedHome(dataDir);
  if (home) await rm(home, { recursive: true, force: true });
  await rm(dataDir, { recursive: true, force: true });
}
