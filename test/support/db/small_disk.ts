/** A file system of a few megabytes, to be filled to the last byte. Only root may mount one. */
import { execFile } from 'node:child_process';
import { chmod, chown, mkdir, mkdtemp, rename, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type SmallDisk = AsyncDisposable & { path: string };

/** Belongs to whom `like` belongs to. Undefined where this machine does not allow it. */
export async function smallDisk(megabytes: number, like: string): Promise<SmallDisk | undefined> {
  const path = await mkdtemp(join(tmpdir(), 'nightshift-disk-'));
  if (!(await mountAt(path, megabytes, like))) {
    await rm(path, { recursive: true });
    return undefined;
  }
  return {
    path,
    async [Symbol.asyncDispose]() {
      await run('umount', ['--lazy', path]);
      await rm(path, { recursive: true, force: true });
    },
  };
}

/** Puts a directory on one, with all that is in it. */
export async function moveToSmallDisk(megabytes: number, path: string): Promise<AsyncDisposable> {
  const aside = `${path}-aside`;
  await rename(path, aside);
  await mkdir(path);
  if (!(await mountAt(path, megabytes, aside))) throw new Error('Only root may mount a small file system.');
  await run('cp', ['-a', `${aside}/.`, path]);
  await rm(aside, { recursive: true });
  return {
    async [Symbol.asyncDispose]() {
      await run('umount', ['--lazy', path]);
    },
  };
}

async function mountAt(path: string, megabytes: number, like: string): Promise<boolean> {
  const isMounted = await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]).then(
    () => true,
    () => false,
  );
  if (!isMounted) return false;
  const { uid, gid } = await stat(like);
  await chown(path, uid, gid);
  await chmod(path, 0o700);
  return true;
}
