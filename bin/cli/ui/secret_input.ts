/**
 * Where keys of providers, and addresses that are secret, come from: a named environment variable, or standard input. Never an
 * argument: those are seen by every user of the machine and kept in the shell's history.
 */
import type { Cli, Input, Io } from '../shared/noun.ts';
import { UsageError } from './errors.ts';

/** The longest keys of providers have a few hundred characters. */
const LENGTH_MAX = 4096;

/** What is read, as messages call it. */
type Kind = { what: 'key' | 'address'; option: string; hint: string };
const KEY: Kind = {
  ...{ what: 'key', option: '--key-env' },
  hint: 'name a variable with --key-env SHOP_KEY, or pipe the key in: pass show shop | npx nightshift …',
};
const ADDRESS: Kind = {
  ...{ what: 'address', option: '--url-env' },
  hint: 'name a variable with --url-env PING_URL, or pipe the address in: pass show ping | npx nightshift …',
};

export type KeySource = { keyEnv?: string };

export function readKey({ keyEnv }: KeySource, cli: Pick<Cli, 'env' | 'io'>): Promise<string> {
  return read(KEY, keyEnv, cli);
}

export function readAddress({ urlEnv }: { urlEnv?: string }, cli: Pick<Cli, 'env' | 'io'>): Promise<string> {
  return read(ADDRESS, urlEnv, cli);
}

async function read(
  kind: Kind,
  variable: string | undefined,
  { env, io }: Pick<Cli, 'env' | 'io'>,
): Promise<string> {
  const { what, hint } = kind;
  const text = (
    variable === undefined ? await fromStdin(kind, io) : fromVariable(kind, variable, env)
  ).trim();
  if (text === '') throw new UsageError(`The ${what} is empty.`, hint);
  if (text.length > LENGTH_MAX) throw tooLong(kind);
  if (/[\r\n]/.test(text)) throw new UsageError(`The ${what} has more than one line.`, hint);
  if (/[^\x20-\x7e]/.test(text))
    throw new UsageError(`The ${what} has characters that no ${what} has.`, hint);
  return text;
}

function tooLong({ what, hint }: Kind): UsageError {
  return new UsageError(`The ${what} is longer than ${LENGTH_MAX} characters.`, hint);
}

function fromVariable({ what, option, hint }: Kind, name: string, env: NodeJS.ProcessEnv): string {
  const value = env[name];
  // An invalid variable name may be the secret itself, so it is not repeated.
  if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name)) {
    throw new UsageError(`${option} takes the NAME of an environment variable, not the ${what}.`, hint);
  }
  if (value === undefined) throw new UsageError(`The environment variable ${name} is not set.`, hint);
  return value;
}

function fromStdin(kind: Kind, io: Io): Promise<string> {
  return io.stdin.isTTY ? typed(kind, io) : piped(kind, io.stdin);
}

async function piped(kind: Kind, stdin: Input): Promise<string> {
  let text = '';
  for await (const chunk of stdin.setEncoding('utf8')) {
    text += chunk;
    if (text.length > LENGTH_MAX) throw tooLong(kind);
  }
  return text;
}

/** Raw mode, so that the terminal does not show what is typed. */
async function typed({ what, hint }: Kind, { stdin, stderr }: Io): Promise<string> {
  stderr.write(`${what === 'key' ? 'Key' : 'Address'} (it is not shown): `);
  stdin.setRawMode?.(true);
  stdin.setEncoding('utf8');
  try {
    let text = '';
    for await (const chunk of stdin) {
      for (const character of String(chunk)) {
        if (character === '\r' || character === '\n' || character === '\u0004') return text;
        if (character === '\u0003') throw new UsageError(`Stopped; no ${what} was stored.`, hint);
        text = character === '\u007f' ? text.slice(0, -1) : text + character;
      }
    }
    return text;
  } finally {
    stdin.setRawMode?.(false);
    stdin.pause();
    stderr.write('\n');
  }
}
