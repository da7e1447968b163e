/**
 * Machines of their own, as far as the network goes: a network namespace each, with one link to ours. Only root may
 * make them, and only where the kernel has them.
 */
import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { appendFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const ip = (...args: string[]) => run('ip', args);

/** Where machines reach a server of this one: it must listen on all addresses, and let these in. */
export const REACHABLE = { listen_addresses: '*' };
const NETWORK = '10.203.0.0/16';

export async function letMachinesIn(home: string): Promise<AsyncDisposable> {
  await appendFile(join(home, 'data', 'pg_hba.conf'), `host all all ${NETWORK} scram-sha-256\n`);
  return { async [Symbol.asyncDispose]() {} };
}

export type Machine = AsyncDisposable & {
  /** Starts a program on it. */
  launcher: readonly string[];
  /** The address of our server, as seen from there. */
  urlOf(url: string): string;
  /** Takes the link away: nobody is told, packets vanish. */
  cut(): Promise<void>;
  mend(): Promise<void>;
};

/** Undefined where this machine does not allow it. Its programs must have ended at scope end. */
export async function aMachine(): Promise<Machine | undefined> {
  const name = `ns${randomBytes(4).toString('hex')}`;
  const [outer, inner] = [`${name}o`, `${name}i`];
  const net = `10.203.${randomInt(256)}.`;
  const first = randomInt(63) * 4;
  const [ours, theirs] = [`${net}${first + 1}`, `${net}${first + 2}`];
  await using opening = new AsyncDisposableStack();
  try {
    await ip('netns', 'add', name);
    opening.defer(async () => void (await ip('netns', 'del', name)));
    await ip('link', 'add', outer, 'type', 'veth', 'peer', 'name', inner, 'netns', name);
    await ip('addr', 'add', `${ours}/30`, 'dev', outer);
    await ip('link', 'set', outer, 'up');
    await ip('-n', name, 'addr', 'add', `${theirs}/30`, 'dev', inner);
    await ip('-n', name, 'link', 'set', inner, 'up');
    await ip('-n', name, 'link', 'set', 'lo', 'up');
  } catch {
    return undefined;
  }
  const opened = opening.move();
  return {
    launcher: ['ip', 'netns', 'exec', name],
    urlOf: (url) => Object.assign(new URL(url), { hostname: ours }).href,
    cut: async () => void (await ip('link', 'set', outer, 'down')),
    mend: async () => void (await ip('link', 'set', outer, 'up')),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}
