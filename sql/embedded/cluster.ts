/**
 * A cluster is one directory of PostgreSQL data with its password. It is created once: it counts from the moment the
 * pointer file exists in the data directory. Of two creators one loses and deletes its own cluster.
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, chown, link, mkdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { promisify } from 'node:util';
import { z } from 'zod';
import { coded, messageOf } from '#runtime/errors.ts';
import { type Account, serverAccount } from './account.ts';
import { type Binaries, serverBinaries, sharedHome } from './binaries.ts';

export type Cluster = {
  /** Holds `data/` and the server's log. */
  home: string;
  data: string;
  password: string;
  binaries: Binaries;
  /** The account that owns the data, if it is not ours. */
  account: Account | undefined;
};

export const SUPERUSER = 'nightshift';
const INITDB_TIMEOUT_MS = 120_000;

const pointerFile = z.object({
  about: z.string(),
  home: z.string(), // relative if it is inside the data directory, so that a checkout can be moved
  password: z.string(),
});

export class EmbeddedServerFailed extends coded('NS_EMBEDDED_FAILED') {
  constructor(message: string, { advice, cause }: { advice?: string; cause?: unknown } = {}) {
    const hint = 'To use a server of your own, set DATABASE_URL.';
    super(message, { hint: advice ? `${advice} ${hint}` : hint, cause });
  }
}

/** The cluster of this data directory, which is created if it does not exist. */
export async function openCluster(dataDir: string): Promise<Cluster> {
  const account = await serverAccount();
  const binaries = await serverBinaries(account !== undefined);
  await mkdir(dataDir, { recursive: true, mode: 0o700 });
  const pointer = join(resolve(dataDir), 'postgres.json');
  const text = (await readPointer(pointer)) ?? (await makeCluster(pointer, binaries, account));
  const { home: place, password } = pointerFile.parse(JSON.parse(text));
  const home = resolve(dataDir, place);
  const data = join(home, 'data');
  return { home, data, password, binaries, account: account && (await ownerOf(data, pointer)) };
}

async function makeCluster(
  pointer: string,
  binaries: Binaries,
  account: Account | undefined,
): Promise<string> {
  const dataDir = resolve(pointer, '..');
  const name = `postgres-${randomBytes(6).toString('hex')}`;
  const home = join(account ? await sharedHome() : dataDir, name);
  const password = randomBytes(24).toString('hex');
  const place = account ? home : relative(dataDir, home);
  const about = 'Where the data of the embedded PostgreSQL are, and its password.';
  const text = `${JSON.stringify({ about, home: place, password }, null, 2)}\n`;
  try {
    await mkdir(home, { mode: 0o700 });
    if (account) await chown(home, account.uid, account.gid);
    await initdb(home, password, binaries, account);
    await publish(pointer, text);
    return text;
  } catch (error) {
    await rm(home, { recursive: true, force: true });
    const winner = await readPointer(pointer);
    if (winner !== undefined) return winner;
    throw new EmbeddedServerFailed(`Cannot create a PostgreSQL cluster in ${home}: ${messageOf(error)}`, {
      cause: error,
    });
  }
}

async function initdb(home: string, password: string, binaries: Binaries, account?: Account): Promise<void> {
  const passwordFile = join(home, 'password');
  await writeFile(passwordFile, `${password}\n`, { mode: 0o600, flag: 'wx' });
  try {
    if (account) await chown(passwordFile, account.uid, account.gid);
    // The builtin provider supports UTF-8 regardless of the machine's locales.
    const locale = ['--encoding=UTF8', '--locale=C', '--locale-provider=builtin', '--builtin-locale=C.UTF-8'];
    const access = ['--auth=scram-sha-256', `--pwfile=${passwordFile}`, `--username=${SUPERUSER}`];
    const flags = [`--pgdata=${join(home, 'data')}`, '--no-sync', ...locale, ...access];
    await promisify(execFile)(binaries.initdb, flags, {
      ...asAccount(account, home),
      timeout: INITDB_TIMEOUT_MS,
    });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** Options to start a program as the account: in a directory that it can enter, without our environment. */
export function asAccount(account: Account | undefined, cwd: string) {
  const env = { PATH: '/usr/bin:/bin', LC_ALL: 'C', TZ: 'UTC' };
  // Node expects an id above 2^31 (nobody on macOS) as a negative number.
  return account ? { cwd, env, uid: account.uid | 0, gid: account.gid | 0 } : { cwd, env };
}

// A link, unlike a rename, never replaces what another creator has published meanwhile.
async function publish(pointer: string, text: string): Promise<void> {
  const draft = `${pointer}.${randomBytes(6).toString('hex')}`;
  await writeFile(draft, text, { mode: 0o600, flag: 'wx' });
  try {
    await chmod(draft, 0o600);
    await link(draft, pointer);
  } finally {
    await rm(draft, { force: true });
  }
}

async function readPointer(pointer: string): Promise<string | undefined> {
  return readFile(pointer, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
}

async function ownerOf(data: string, pointer: string): Promise<Account> {
  const { uid, gid } = await stat(data).catch((cause) => {
    const message = `The PostgreSQL data in ${data} are gone: ${messageOf(cause)}.`;
    throw new EmbeddedServerFailed(message, {
      cause,
      advice: `To start with empty data, delete ${pointer}.`,
    });
  });
  return { uid, gid };
}
