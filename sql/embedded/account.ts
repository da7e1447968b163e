/**
 * The account that runs PostgreSQL, which refuses to run as root. Started by root we use the account `postgres`, else
 * `nobody`, and create neither. Everything that this account needs is then below /var/lib/nightshift, because a
 * checkout may be in a directory that only root can enter.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { coded } from '#runtime/errors.ts';

export type Account = { uid: number; gid: number };

/** The directory of binaries and data if root starts us. */
export const SHARED_HOME = '/var/lib/nightshift';
const ACCOUNTS = ['postgres', 'nobody'];

export class NoAccountForServer extends coded('NS_EMBEDDED_NO_ACCOUNT') {
  constructor() {
    super(`PostgreSQL refuses to run as root, and neither account exists: ${ACCOUNTS.join(', ')}.`, {
      hint: 'Run the command as another user, or name a server of your own in DATABASE_URL.',
    });
  }
}

/** The account to switch to; undefined keeps the current one. */
export async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ACCOUNTS) {
    const [uid, gid] = await Promise.all([idOf('-u', name), idOf('-g', name)]);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new NoAccountForServer();
}

// `id` instead of /etc/passwd: it uses the account directory of the machine, such as LDAP.
async function idOf(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  const found = await promisify(execFile)('id', [flag, name]).catch(() => undefined);
  return found === undefined ? undefined : Number(found.stdout);
}
