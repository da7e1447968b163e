/** A store in a directory of this machine, or of one that is mounted. Only the account that writes it can read it. */
import { randomUUID } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { mkdir, open, opendir, readdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Readable } from 'node:stream';
import { drafts } from './drafts.ts';
import {
  BRAND,
  FOLDER_MODE,
  type Store,
  type StoredFile,
  StoreFailed,
  StoreFileMissing,
  storePath,
} from './store.ts';

const OWNER_ONLY = 0o600;
const READ_BYTES = 256 * 1024;

export function localStore(dir: string): Store {
  const place = resolve(dir);
  const touched = new Set<string>();
  const failing = (error: unknown) => {
    throw new StoreFailed(place, error);
  };
  const pathOf = (name: string) => join(place, storePath(place, name));
  const folder = async (path: string) => {
    const made = await mkdir(path, { recursive: true, mode: FOLDER_MODE }).catch(failing);
    if (made === undefined) return;
    for (let at = path; at.length >= dirname(made).length; at = dirname(at)) touched.add(at);
  };

  return {
    place,
    ...drafts({ place, folder, failing }),
    async put(name, { path }) {
      const to = pathOf(name);
      await folder(dirname(to));
      await rename(path, to).catch(failing);
      touched.add(dirname(to));
    },
    async settle() {
      for (const path of [...touched]) {
        touched.delete(path);
        await syncFolder(path).catch(failing);
      }
    },
    read: (name) => opened(pathOf(name), () => new StoreFileMissing(place, name)).catch(passOn(place)),
    list: (name) => filesIn(pathOf(name), name, place),
    async brands() {
      const found = await readdir(place, { withFileTypes: true }).catch((error: NodeJS.ErrnoException) =>
        error.code === 'ENOENT' ? [] : failing(error),
      );
      return found
        .filter((entry) => entry.isDirectory() && BRAND.test(entry.name))
        .map(({ name }) => name)
        .sort();
    },
    async tryWrite(signal) {
      const path = join(place, `.${randomUUID()}`);
      await writeFile(path, 'x', { flag: 'wx', mode: OWNER_ONLY, flush: true, signal }).catch(failing);
      await rm(path).catch(failing);
    },
    async remove(name) {
      const path = pathOf(name);
      await rm(path, { force: true }).catch(failing);
      touched.add(dirname(path));
    },
  };
}

async function opened(path: string, missing: () => Error): Promise<Readable> {
  const handle = await open(path, 'r').catch((error: NodeJS.ErrnoException) => {
    throw error.code === 'ENOENT' ? missing() : error;
  });
  return createReadStream('', { fd: handle, highWaterMark: READ_BYTES });
}

function passOn(place: string) {
  return (error: unknown): never => {
    throw error instanceof StoreFileMissing ? error : new StoreFailed(place, error);
  };
}

async function* filesIn(path: string, folder: string, place: string): AsyncGenerator<StoredFile> {
  const found = await opendir(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw new StoreFailed(place, error);
  });
  try {
    for await (const entry of found ?? []) {
      if (!entry.isFile()) continue;
      const { size } = await stat(join(path, entry.name));
      yield { name: `${folder}/${entry.name}`, bytes: size };
    }
  } catch (error) {
    throw new StoreFailed(place, error);
  }
}

async function syncFolder(path: string): Promise<void> {
  const handle = await open(path, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
