/**
 * Who runs PostgreSQL, which refuses to run as root. Started by root we take the account
 * `postgres`, else `nobody`; created is neither. Everything that this account must reach then lies
 * below /var/lib/nightshift, because a checkout may stand in a directory that only root can enter.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { coded } from '#runtime/errors.ts';

export type Account = { uid: number; gid: number };

/** Where binaries and data lie when root starts us. */
export const SHARED_HOME = '/var/lib/nightshift';
const ACCOUNTS = ['postgres', 'nobody'];

export class NoAccountForServer extends coded('NS_EMBEDDED_NO_ACCOUNT') {
  constructor() {
    super(`PostgreSQL refuses to run as root, and neither account exists: ${ACCOUNTS.join(', ')}.`, {
      hint: 'Run the command as another user, or name a server of your own in DATABASE_URL.',
    });
  }
}

/** The account to become, or undefined to stay who we are. */
export async function serverAccount(): Promise<Account | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  for (const name of ACCOUNTS) {
    const [uid, gid] = await Promise.all([idOf('-u', name), idOf('-g', name)]);
    if (uid !== undefined && gid !== undefined) return { uid, gid };
  }
  throw new NoAccountForServer();
}

// `id` and not /etc/passwd: it asks whatever directory of accounts the machine has.
async function idOf(flag: '-u' | '-g', name: string): Promise<number | undefined> {
  const found = await promisify(execFile)('id', [flag, name]).catch(() => undefined);
  return found === undefined ? undefined : Number(found.stdout);
}
