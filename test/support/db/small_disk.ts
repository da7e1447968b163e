/** A file system of a few megabytes, to be filled to the last byte. Only root may mount one. */
import { execFile } from 'node:child_process';
import { chown, mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export type SmallDisk = AsyncDisposable & { path: string };

/** Belongs to whom `like` belongs to. Undefined where this machine does not allow it. */
export async function smallDisk(megabytes: number, like: string): Promise<SmallDisk | undefined> {
  const path = await mkdtemp(join(tmpdir(), 'nightshift-disk-'));
  try {
    await run('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  } catch {
    await rm(path, { recursive: true });
    return undefined;
  }
  const { uid, gid } = await stat(like);
  await chown(path, uid, gid);
  return {
    path,
    async [Symbol.asyncDispose]() {
      await run('umount', ['--lazy', path]);
      await rm(path, { recursive: true, force: true });
    },
  };
}
